//! Cases of `clip_scale`, on two gradients together and on many.

use ndarray::{Array2, array};

use crate::cpu::reference;
use crate::matrix::Matrix;
use crate::ops;
use crate::verify::bounds::Bound;
use crate::verify::expected::Expected;
use crate::verify::inputs::{CaseRng, Fill, Inputs, matrices, normal, special_rows};
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
}

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
            // A thread adds every 2¹⁷th value at most, and in the last launch every 128th sum of a workgroup: there is one for each
            // matrix, and one for each 1024 values. The rest are trees, the root and the quotient.
            let (values, gradients) = (m.iter().map(Array2::len).sum::<usize>() as f64, m.len() as f64);
            let bound = Bound::roundings(44.0 + values / f64::from(1 << 17) + gradients / 256.0) * want + Bound::FLUSH;
            vec![Expected::within(&array![[bound]], array![[want]])]
        },
    );
}
