//! Batches: the rows to train or validate on, their split and order, and their upload.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::class_weights::moderating;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::shares::shares;
use crate::source::{RowSource, Wanted};
use crate::targets::Targets;

/// Rows of features with their labels, and their weights if they have any.
#[derive(Clone, Copy)]
pub(super) struct LabelledRows<'a> {
    /// What they are for, as errors name it.
    pub op: &'static str,
    pub x: &'a dyn RowSource,
    /// The number of columns, which was found to be right.
    pub cols: usize,
    pub labels: &'a [i64],
    pub weights: Option<&'a [f32]>,
    /// What weights are multiplied with on their way to the device: [`LabelledRows::moderating`] of all rows of a training.
    pub weight_scale: f64,
}

/// A batch of rows on a device.
pub(super) struct Batch {
    pub x: Matrix,
    pub targets: Targets,
    pub weights: Option<Matrix>,
}

impl<'a> LabelledRows<'a> {
    /// Rows of a source that has so many columns.
    pub fn new(
        op: &'static str,
        (x, cols): (&'a dyn RowSource, usize),
        labels: &'a [i64],
        weights: Option<&'a [f32]>,
    ) -> Self {
        LabelledRows { op, x, cols, labels, weights, weight_scale: 1.0 }
    }

    /// What moderates the weights of rows that have a class: see [`moderating`].
    pub fn moderating(&self) -> f64 {
        let weights = self.labels.iter().zip(self.weights.unwrap_or_default());
        moderating(weights.filter(|(label, _)| class_of(**label).is_some()).map(|(_, weight)| *weight))
    }

    /// Whether a row has a part in the losses: it has a class, and no weight of 0.
    pub fn counts(&self, row: usize) -> bool {
        class_of(self.labels[row]).is_some() && self.weights.is_none_or(|weights| weights[row] > 0.0)
    }

    /// The features of the rows with these numbers, as so many threads may read them.
    pub fn features<'b>(&self, rows: &'b [usize], threads: usize) -> Wanted<'b>
    where
        'a: 'b,
    {
        Wanted { threads: threads.max(1), ..Wanted::new(self.op, self.x, self.cols, rows) }
    }

    /// Uploads the rows with these numbers as a batch, and reads their features now.
    pub fn batch(&self, device: &Device, rows: &[usize], classes: usize) -> Result<Batch> {
        self.batch_with(device, rows, classes, Matrix::from_rows(device, self.features(rows, 1))?)
    }

    /// The batch of the rows with these numbers, whose features are on the device already.
    pub fn batch_with(&self, device: &Device, rows: &[usize], classes: usize, x: Matrix) -> Result<Batch> {
        let labels: Vec<_> = rows.iter().map(|row| self.labels[*row]).collect();
        let weight = |weights: &[f32], row: &usize| (f64::from(weights[*row]) * self.weight_scale) as f32;
        let weights = self.weights.map(|weights| rows.iter().map(|row| weight(weights, row)).collect::<Vec<_>>());
        Ok(Batch {
            x,
            targets: Targets::classes(device, &labels, classes)?,
            weights: weights.map(|weights| Matrix::from_slice(device, rows.len(), 1, &weights)).transpose()?,
        })
    }
}

/// The order of an epoch's rows, which depends on the seed and the epoch alone.
pub(super) fn order(rows: &[usize], seed: u64, epoch: usize) -> Vec<usize> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    rng.set_stream(1 + epoch as u64);
    let mut order = rows.to_vec();
    order.shuffle(&mut rng);
    order
}

/// Splits the rows into those to train on and those to validate on.
///
/// The latter are this fraction of the rows that have a class, rounded up to whole rows. The generator with this seed
/// draws them from each class in proportion, and never all rows of a class, as `train_test_split` does with `stratify`.
pub(super) fn split(labels: &[i64], classes: usize, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    if fraction == 0.0 {
        return ((0..labels.len()).collect(), Vec::new());
    }
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    // The last group is that of ignored rows, which are no use in a validation.
    let mut groups = vec![Vec::new(); classes + 1];
    for (row, label) in labels.iter().enumerate() {
        groups[class_of(*label).unwrap_or(classes).min(classes)].push(row);
    }
    let (mut train, mut held) = (groups.pop().unwrap_or_default(), Vec::new());
    let wanted = (fraction * (labels.len() - train.len()) as f64).ceil() as usize;
    let shares = shares(&groups.iter().map(Vec::len).collect::<Vec<_>>(), wanted);
    for (mut group, share) in groups.into_iter().zip(shares) {
        group.shuffle(&mut rng);
        train.extend(group.split_off(share));
        held.extend(group);
    }
    train.sort_unstable();
    held.sort_unstable();
    (train, held)
}

/// The class of a row; none if the row is ignored.
fn class_of(label: i64) -> Option<usize> {
    usize::try_from(label).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_split_takes_its_share_of_every_class_and_loses_nothing() {
        let labels: Vec<i64> = (0..1000).map(|row| if row % 10 == 0 { 2 } else { row % 2 }).collect();
        let (train, held) = split(&labels, 3, 0.25, 7);
        let count = |rows: &[usize], class| rows.iter().filter(|row| labels[**row] == class).count();
        assert_eq!([0, 1, 2].map(|class| count(&held, class)), [100, 125, 25]);
        let mut all = [train.clone(), held.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_eq!((train.clone(), held), split(&labels, 3, 0.25, 7));
        assert_ne!(train, split(&labels, 3, 0.25, 8).0);
    }

    #[test]
    fn a_split_of_many_small_classes_takes_its_share_of_all_rows_and_all_of_no_class() {
        let labels: Vec<i64> = (0..4000).map(|row| row % 1000).collect();
        for (fraction, share) in [(0.1, 400), (0.125, 500), (0.9, 3000)] {
            let (train, held) = split(&labels, 1000, fraction, 3);
            assert_eq!((train.len(), held.len()), (4000 - share, share), "{fraction}");
            let trained: HashSet<_> = train.iter().map(|row| labels[*row]).collect();
            assert_eq!(trained.len(), 1000, "{fraction}");
        }
        let (train, held) = split(&[0, 1, 1, 1], 2, 0.5, 0);
        assert!(train.contains(&0) && held.len() == 2, "{train:?} {held:?}");
        assert!(split(&[0, 1, 2], 3, 0.5, 0).1.is_empty());
    }

    #[test]
    fn rows_that_do_not_count_are_not_held_back() {
        let labels = [0, -100, 0, 1, 1, -100, -100, -100];
        let (train, held) = split(&labels, 3, 0.5, 0);
        assert_eq!((train.len(), held.len()), (6, 2));
        assert!(held.iter().all(|row| [0, 1].contains(&labels[*row])), "{held:?}");
    }

    #[test]
    fn an_epochs_order_depends_on_nothing_but_seed_and_epoch() {
        let rows: Vec<_> = (0..100).collect();
        assert_eq!(order(&rows, 1, 3), order(&rows, 1, 3));
        assert_ne!(order(&rows, 1, 3), order(&rows, 1, 4));
        assert_ne!(order(&rows, 1, 3), order(&rows, 2, 3));
    }
}
