//! The head: loss and gradient of softmax and cross-entropy, straight from the logits.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::{Real, TargetView, first_maximum, pairwise, softmax_maximum};
use crate::ops::Statistics;

/// What the caller asked for.
#[derive(Clone, Copy, Debug)]
pub struct Contract<'a, T> {
    /// One weight a class; 1 each where there is none.
    pub weights: Option<ArrayView1<'a, T>>,
    /// Rows of this class count for nothing.
    pub ignored: Option<u32>,
    /// The part of each target that is spread over all classes.
    pub smoothing: T,
    /// Whether the gradient is divided by the sum of the rows' weights.
    pub mean: bool,
}

/// What the head gives, row by row.
#[derive(Clone, Debug)]
pub struct RowLosses<T> {
    /// rows x 1.
    pub losses: Array2<T>,
    /// rows x cols.
    pub dlogits: Array2<T>,
    /// The rows' weights in a mean; `None` for the ignored class.
    pub weights: Vec<Option<T>>,
    /// Whether the row's first maximum is its class.
    pub correct: Vec<bool>,
}

/// For each row: loss Σ_c q_c · -ln p_c and gradient p Σ_j q_j - q, over the mean's divisor where a mean was asked for;
/// q_c = w_c ((1 - s) y_c + s / C).
pub fn softmax_cross_entropy<T: Real>(
    logits: ArrayView2<'_, T>,
    targets: TargetView<'_, T>,
    contract: Contract<'_, T>,
) -> RowLosses<T> {
    let (rows, cols) = logits.dim();
    let mut out = RowLosses {
        losses: Array2::zeros((rows, 1)),
        dlogits: Array2::zeros((rows, cols)),
        weights: (0..rows).map(|r| row_weight(&targets, &contract, r)).collect(),
        correct: vec![false; rows],
    };
    let divisor = match contract.mean {
        true => pairwise(rows, |r| out.weights[r].unwrap_or(T::zero())),
        false => T::one(),
    };
    for r in (0..rows).filter(|r| out.weights[*r].is_some()) {
        let row = logits.row(r);
        let Some(top) = softmax_maximum(row) else {
            out.losses[[r, 0]] = T::nan();
            out.dlogits.row_mut(r).fill(T::nan());
            continue;
        };
        let masses = masses(&targets, &contract, r, cols);
        let sum = pairwise(cols, |c| (row[c] - top).exp());
        let mass_sum = pairwise(cols, |c| masses[c]);
        let below = pairwise(cols, |c| if masses[c] == T::zero() { T::zero() } else { masses[c] * (top - row[c]) });
        out.losses[[r, 0]] = below + mass_sum * sum.ln();
        for c in 0..cols {
            let p = (row[c] - top).exp() / sum;
            out.dlogits[[r, c]] = (p * mass_sum - masses[c]) / divisor;
        }
        out.correct[r] = first_maximum(row) == targets.class(r);
    }
    out
}

/// The row's weight in a mean: its class's, or 1 for a distribution; `None` for the ignored class.
fn row_weight<T: Real>(targets: &TargetView<'_, T>, contract: &Contract<'_, T>, r: usize) -> Option<T> {
    match targets {
        TargetView::Classes(classes) if Some(classes[r]) == contract.ignored => None,
        TargetView::Classes(classes) => Some(contract.weights.map_or(T::one(), |w| w[classes[r] as usize])),
        TargetView::Distributions(_) => Some(T::one()),
    }
}

/// q_c = w_c ((1 - s) y_c + s / C).
fn masses<T: Real>(targets: &TargetView<'_, T>, contract: &Contract<'_, T>, r: usize, cols: usize) -> Array1<T> {
    let smoothing = contract.smoothing;
    Array1::from_shape_fn(cols, |c| {
        let share = (T::one() - smoothing) * targets.share(r, c) + smoothing / T::of(cols as f64);
        contract.weights.map_or(share, |w| w[c] * share)
    })
}

impl RowLosses<f32> {
    /// What the rows add up to.
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
