//! The head: loss and gradient of softmax and cross-entropy, straight from the logits.

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::softmax::{exponentials, strip_rows};
use super::sum::pairwise;
use super::threads::{self, EXP};
use super::{Real, TargetView, first_maximum, memory};
use crate::statistics::Statistics;

/// What the caller asked for.
#[derive(Clone, Copy, Debug)]
pub struct Contract<'a, T> {
    /// One weight a class; 1 each where there is none.
    pub weights: Option<ArrayView1<'a, T>>,
    /// One weight a row; 1 each where there is none.
    pub samples: Option<ArrayView1<'a, T>>,
    /// Rows of this class count for nothing; so do those whose id is none of the classes, which marks them.
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
/// q_c = v w_c ((1 - s) y_c + s / C).
pub fn softmax_cross_entropy<T: Real>(
    logits: ArrayView2<'_, T>,
    targets: TargetView<'_, T>,
    contract: Contract<'_, T>,
) -> RowLosses<T> {
    let (rows, cols) = logits.dim();
    let mut out = RowLosses {
        losses: Array2::zeros((rows, 1)),
        dlogits: memory::unwritten(rows, cols),
        weights: (0..rows).map(|r| contract.row_weight(&targets, r, cols)).collect(),
        correct: vec![false; rows],
    };
    let weights: Vec<T> = out.weights.iter().map(|weight| weight.unwrap_or(T::zero())).collect();
    let divisor = contract.divisor(&weights);
    let logits = logits.as_standard_layout();
    let (block, width) = (threads::block_rows(cols), cols.max(1));
    let work = (rows * cols).saturating_mul(2 * EXP);
    let x = logits.as_slice().unwrap_or_default().chunks(block * width);
    let dlogits = out.dlogits.as_slice_mut().unwrap_or_default().chunks_mut(block * width);
    let losses = out.losses.as_slice_mut().unwrap_or_default().chunks_mut(block);
    let blocks = x.zip(dlogits).zip(losses.zip(out.correct.chunks_mut(block)));
    threads::each(blocks.enumerate(), work, |(index, ((x, dlogits), (losses, correct)))| {
        let (mut masses, mut tops) = (vec![T::zero(); cols], vec![T::zero(); strip_rows(cols)]);
        let strip = strip_rows(cols) * width;
        let strips = x.chunks(strip).zip(dlogits.chunks_mut(strip));
        let mut results = (index * block..).zip(losses.iter_mut().zip(correct));
        for (x, dlogits) in strips {
            exponentials(x, width, &mut tops, dlogits);
            let rows = x.chunks_exact(width).zip(dlogits.chunks_exact_mut(width)).zip(&tops);
            for (((row, dlogits), top), (r, (loss, correct))) in rows.zip(&mut results) {
                let target = match (out.weights[r], &targets) {
                    (None, _) => {
                        dlogits.fill(T::zero());
                        continue;
                    }
                    (Some(weight), TargetView::Classes(classes)) if contract.smoothing == T::zero() => {
                        Target::Class(classes[r] as usize, weight)
                    }
                    _ => Target::Masses(contract.fill_masses(&mut masses, &targets, r), &masses),
                };
                (*loss, *correct) = by_row(row, *top, target, divisor, dlogits);
            }
        }
    });
    out
}

/// What a row should be, as q: all of it in one class, or spread; its class, too.
enum Target<'a, T> {
    Class(usize, T),
    Masses(usize, &'a [T]),
}

/// The row's loss, and whether its first maximum is its class. Makes the gradient of the exponentials.
#[inline(always)]
fn by_row<T: Real>(row: &[T], top: T, target: Target<'_, T>, divisor: T, dlogits: &mut [T]) -> (T, bool) {
    if !top.is_finite() {
        dlogits.fill(T::nan());
        return (T::nan(), false);
    }
    let sum = pairwise([&*dlogits], |[e]| e);
    let (class, loss) = match target {
        Target::Class(class, mass) => {
            let scale = mass / divisor / sum;
            dlogits.iter_mut().for_each(|dlogit| *dlogit = *dlogit * scale);
            dlogits[class] = dlogits[class] - mass / divisor;
            // A class without weight costs nothing, however far it is from the maximum.
            let below = if mass == T::zero() { mass } else { mass * (top - row[class]) };
            (class, below + mass * sum.ln())
        }
        Target::Masses(class, masses) => {
            let mass_sum = pairwise([masses], |[mass]| mass);
            let scale = mass_sum / divisor / sum;
            for (dlogit, mass) in dlogits.iter_mut().zip(masses) {
                *dlogit = *dlogit * scale - *mass / divisor;
            }
            let below = pairwise([masses, row], |[mass, x]| {
                let below = mass * (top - x);
                if mass == T::zero() { mass } else { below }
            });
            (class, below + mass_sum * sum.ln())
        }
    };
    (loss, row[class] == top && !row[..class].contains(&top))
}

impl<T: Real> Contract<'_, T> {
    /// The row's weight in a mean: its own, times its class's; `None` for a row that counts for nothing.
    pub(super) fn row_weight(&self, targets: &TargetView<'_, T>, r: usize, cols: usize) -> Option<T> {
        let own = self.samples.map_or(T::one(), |samples| samples[r]);
        match targets {
            TargetView::Classes(classes) if Some(classes[r]) == self.ignored || classes[r] as usize >= cols => None,
            TargetView::Classes(classes) => Some(self.weights.map_or(own, |w| own * w[classes[r] as usize])),
            TargetView::Distributions(_) => Some(own),
        }
    }

    /// What losses and gradients are divided by, given the rows' weights: for a mean over nothing infinity, so that nothing
    /// moves.
    pub(super) fn divisor(&self, weights: &[T]) -> T {
        let sum = if self.mean { pairwise([weights], |[weight]| weight) } else { T::one() };
        if sum == T::zero() { T::infinity() } else { sum }
    }

    /// q_c = v w_c ((1 - s) y_c + s / C); gives the row's class.
    pub(super) fn fill_masses(&self, masses: &mut [T], targets: &TargetView<'_, T>, r: usize) -> usize {
        let (rest, spread) = (T::one() - self.smoothing, self.smoothing / T::of(masses.len() as f64));
        let class = match targets {
            TargetView::Classes(classes) => {
                let class = classes[r] as usize;
                masses.fill(spread);
                masses[class] = rest + spread;
                class
            }
            TargetView::Distributions(rows) => {
                let row = rows.row(r);
                for (mass, share) in masses.iter_mut().zip(row) {
                    *mass = rest * *share + spread;
                }
                first_maximum(row.as_standard_layout().as_slice().unwrap_or_default())
            }
        };
        if let Some(weights) = self.weights {
            for (mass, weight) in masses.iter_mut().zip(weights) {
                *mass = *weight * *mass;
            }
        }
        if let Some(samples) = self.samples {
            masses.iter_mut().for_each(|mass| *mass = samples[r] * *mass);
        }
        class
    }
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
