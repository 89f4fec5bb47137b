//! softmax_cross_entropy: loss and gradient of softmax and cross-entropy together, computed from the logits.

use ndarray::{Array2, ArrayView2};

use super::softmax::{exponentials, rows_per_loop};
use super::sum::pairwise;
use super::threads::{self, EXP};
use super::{LossParams, Real, TargetView, memory};
use crate::statistics::Statistics;

/// The results, row by row.
#[derive(Clone, Debug)]
pub struct RowLosses<T> {
    /// The losses, rows x 1.
    pub losses: Array2<T>,
    /// The gradient of the logits, rows x cols.
    pub dlogits: Array2<T>,
    /// The rows' weights in a mean; `None` for ignored rows.
    pub weights: Vec<Option<T>>,
    /// Whether the row's first maximum is its class.
    pub correct: Vec<bool>,
}

/// The loss Σ_c q_c · -ln p_c and the gradient (p Σ_j q_j - q) / divisor of each row; q_c = v w_c ((1 - s) y_c + s / C).
pub fn softmax_cross_entropy<T: Real>(
    logits: ArrayView2<'_, T>,
    targets: TargetView<'_, T>,
    params: LossParams<'_, T>,
) -> RowLosses<T> {
    let (rows, cols) = logits.dim();
    let mut out = RowLosses {
        losses: Array2::zeros((rows, 1)),
        dlogits: memory::unwritten(rows, cols),
        weights: (0..rows).map(|r| params.row_weight(&targets, r, cols)).collect(),
        correct: vec![false; rows],
    };
    let weights: Vec<T> = out.weights.iter().map(|weight| weight.unwrap_or(T::zero())).collect();
    let divisor = params.divisor(&weights);
    let logits = logits.as_standard_layout();
    let (block, width) = (threads::block_rows(cols), cols.max(1));
    let work = (rows * cols).saturating_mul(2 * EXP);
    let x = logits.as_slice().unwrap_or_default().chunks(block * width);
    let dlogits = out.dlogits.as_slice_mut().unwrap_or_default().chunks_mut(block * width);
    let losses = out.losses.as_slice_mut().unwrap_or_default().chunks_mut(block);
    let blocks = x.zip(dlogits).zip(losses.zip(out.correct.chunks_mut(block)));
    threads::each(blocks.enumerate(), work, |(index, ((x, dlogits), (losses, correct)))| {
        let (mut masses, mut maxima) = (vec![T::zero(); cols], vec![T::zero(); rows_per_loop(cols)]);
        let elements = rows_per_loop(cols) * width;
        let groups = x.chunks(elements).zip(dlogits.chunks_mut(elements));
        let mut results = (index * block..).zip(losses.iter_mut().zip(correct));
        for (x, dlogits) in groups {
            exponentials(x, width, &mut maxima, dlogits);
            let rows = x.chunks_exact(width).zip(dlogits.chunks_exact_mut(width)).zip(&maxima);
            for (((row, dlogits), maximum), (r, (loss, correct))) in rows.zip(&mut results) {
                let target = match (out.weights[r], &targets) {
                    (None, _) => {
                        dlogits.fill(T::zero());
                        continue;
                    }
                    (Some(weight), TargetView::Classes(classes)) if params.smoothing == T::zero() => {
                        Target::Class(classes[r] as usize, weight)
                    }
                    _ => Target::Masses(params.fill_masses(&mut masses, &targets, r), &masses),
                };
                (*loss, *correct) = by_row(row, *maximum, target, divisor, dlogits);
            }
        }
    });
    out
}

/// The target of a row: its class, and the mass of it, or the masses of all classes.
enum Target<'a, T> {
    Class(usize, T),
    Masses(usize, &'a [T]),
}

/// The row's loss, and whether its first maximum is its class. `dlogits` holds the exponentials before the call, and the gradient
/// after it.
#[inline(always)]
fn by_row<T: Real>(row: &[T], maximum: T, target: Target<'_, T>, divisor: T, dlogits: &mut [T]) -> (T, bool) {
    if !maximum.is_finite() {
        dlogits.fill(T::nan());
        return (T::nan(), false);
    }
    let sum = pairwise([&*dlogits], |[e]| e);
    let (class, loss) = match target {
        Target::Class(class, mass) => {
            let scale = mass / divisor / sum;
            dlogits.iter_mut().for_each(|dlogit| *dlogit = *dlogit * scale);
            dlogits[class] = dlogits[class] - mass / divisor;
            // A class without mass adds nothing to the loss, even if its logit is -inf.
            let below = if mass == T::zero() { mass } else { mass * (maximum - row[class]) };
            (class, below + mass * sum.ln())
        }
        Target::Masses(class, masses) => {
            let mass_sum = pairwise([masses], |[mass]| mass);
            let scale = mass_sum / divisor / sum;
            for (dlogit, mass) in dlogits.iter_mut().zip(masses) {
                *dlogit = *dlogit * scale - *mass / divisor;
            }
            let below = pairwise([masses, row], |[mass, x]| {
                let below = mass * (maximum - x);
                if mass == T::zero() { mass } else { below }
            });
            (class, below + mass_sum * sum.ln())
        }
    };
    (loss, row[class] == maximum && !row[..class].contains(&maximum))
}

impl RowLosses<f32> {
    /// The statistics of all rows together.
    pub(crate) fn statistics(&self) -> Statistics {
        let counted: Vec<_> = (0..self.weights.len()).filter(|r| self.weights[*r].is_some()).collect();
        let bad = |r: &usize| !self.losses[[*r, 0]].is_finite();
        Statistics {
            loss_sum: counted.iter().map(|r| f64::from(self.losses[[*r, 0]])).sum(),
            weight_sum: self.weights.iter().flatten().map(|weight| f64::from(*weight)).sum(),
            correct: self.correct.iter().filter(|hit| **hit).count() as u64,
            rows: counted.len() as u64,
            non_finite_rows: counted.iter().copied().filter(bad).count() as u64,
            first_bad_row: counted.iter().copied().find(bad).map(|r| r as u64),
        }
    }
}
