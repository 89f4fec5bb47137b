//! Cases of `clip_scale`, on two gradients together and on many.

use ndarray::{Array2, array};

use crate::cpu::reference;
use crate::matrix::Matrix;
use crate::ops;
use crate::verify::bounds::{Bound, U};
use crate::verify::expected::Expected;
use crate::verify::inputs::{CaseRng, Fill, Inputs, matrices, normal, rounding_squares, special_rows};
use crate::verify::output::Output;
use crate::verify::shapes::all_matrices;
use crate::verify::table::Table;

pub(super) fn cases(table: &mut Table) {
    add(table, "above the limit", [normal; 2], 0.5);
    add(table, "below the limit", [normal; 2], 1e6);
    add(table, "all kinds of row", [special_rows, normal], 2.0);
    // Gradients so small that the epsilon, which is added to the norm, matters.
    let small: Fill = |rng, rows, cols| normal(rng, rows, cols).mapv(|x| 1e-4 * x);
    add(table, "small gradients", [small; 2], 1e-5);
    add_case(table, "sums that lose, of many gradients", [MANY, 1, 1], 0.5, |_, [count, _, _]| losing(count));
    for count in LOSING {
        add_case(table, "sums that lose", [1, count, 1], 0.5, |_, [_, count, _]| matrices([rounding_squares(count)]));
    }
}

/// The numbers of values in the cases of one gradient whose sum loses: some of one workgroup, and as many as 128 workgroups have, by
/// single values and by fours.
const LOSING: [usize; 3] = [1023, (1 << 17) - 1, 1 << 17];

/// The number of gradients in the case of many. It is so small that each gradient may have a launch of its own.
const MANY: usize = 201;

/// Gradients of one value each, with errors of one sign: each square that is added rounds the sum up by nearly half a unit.
fn losing(count: usize) -> Inputs {
    let value = |index: usize| if index == 0 { 1.0 } else { (0.51 * f32::EPSILON).sqrt() };
    Inputs { matrices: (0..count).map(|index| array![[value(index)]]).collect(), ..Default::default() }
}

fn add(table: &mut Table, variant: &str, fills: [Fill; 2], limit: f64) {
    for dims in all_matrices() {
        add_case(table, variant, *dims, limit, move |rng, [rows, cols, _]| {
            matrices([fills[0](rng, rows, cols), fills[1](rng, 1, cols)])
        });
    }
}

fn add_case(
    table: &mut Table,
    variant: &str,
    dims: [usize; 3],
    limit: f64,
    draw: impl Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync + 'static,
) {
    table.add_on_matrices(
        ("clip_scale", variant),
        dims,
        |[rows, cols, _]| (2 * (rows * cols + cols), 4 * (rows * cols + cols)),
        draw,
        move |m| ops::clip_scale(&m.iter().collect::<Vec<&Matrix>>(), limit).map(Output::alone),
        move |m| {
            let want = reference::clip_scale(m, limit);
            vec![Expected::within(&array![[bound(m) * want + Bound::FLUSH]], array![[want]])]
        },
    );
}

/// The relative bound of the scale. A square is one rounding. A thread adds 8 squares, or every 2¹⁷th; two additions join the words
/// of a `vec4`, and 22 the threads. A workgroup has at most 1024 values of one matrix. The last launch adds the workgroups' sums:
/// a thread adds every 128th, and 22 additions join the threads. In any order a square goes through fewer additions than there are
/// values. The root leaves half of these errors, and adds its own 4.5 units; the quotient adds 2.5 units, and two constants and a
/// sum are rounded.
pub(super) fn bound(gradients: &[Array2<f64>]) -> Bound {
    let values = gradients.iter().map(Array2::len).sum::<usize>() as f64;
    let groups = gradients.iter().map(|gradient| gradient.len().div_ceil(1024)).sum::<usize>() as f64;
    let last = (groups - 1.0).min(22.0 + groups / 128.0);
    let squares = Bound::roundings((32.0 + values / f64::from(1 << 17) + last).min(values));
    squares * 0.5 + Bound::one(4.5 * U) + Bound::roundings(3.0) + Bound::one(2.5 * U)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREADS: usize = 128;

    /// The sum over the threads of a workgroup: eight of them join sixteen each, then the first one joins these.
    fn group_sum(threads: &[f32]) -> f32 {
        let heads: Vec<f32> = (0..8).map(|head| threads.iter().skip(head).step_by(8).sum()).collect();
        heads.iter().sum()
    }

    /// The sum of squares as a GPU adds it.
    fn sum_of_squares(x: &[f32]) -> f32 {
        let values: Vec<&[f32]> = x.chunks(if x.len().is_multiple_of(4) { 4 } else { 1 }).collect();
        let threads = values.len().div_ceil(8 * THREADS) * THREADS;
        let of_thread = |thread: usize| {
            let mut sums = [0f32; 4];
            for value in values.iter().skip(thread).step_by(threads) {
                sums.iter_mut().zip(*value).for_each(|(sum, x)| *sum += x * x);
            }
            (sums[0] + sums[1]) + (sums[2] + sums[3])
        };
        let threads: Vec<f32> = (0..threads).map(of_thread).collect();
        let groups: Vec<f32> = threads.chunks(THREADS).map(group_sum).collect();
        let last: Vec<f32> = (0..THREADS).map(|thread| groups.iter().skip(thread).step_by(THREADS).sum()).collect();
        group_sum(&last)
    }

    #[test]
    fn squares_made_for_the_threads_lose_with_nearly_each_addition() {
        for (count, least) in LOSING.into_iter().zip([0.36, 0.5, 0.39]) {
            let x = rounding_squares(count);
            let got = 0.5 / (sum_of_squares(x.as_slice().unwrap_or_default()).sqrt() + 1e-6);
            let gradients = [x.mapv(f64::from)];
            let want = reference::clip_scale(&gradients, 0.5);
            let share = (f64::from(got) - want).abs() / (bound(&gradients).most * want);
            assert!((least..=1.0).contains(&share), "{count} values: {share}");
        }
    }
}
