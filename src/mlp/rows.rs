//! Rows to train or validate on: features, labels and weights, gathered batch by batch.

use ndarray::{ArrayView2, Axis};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::targets::Targets;

/// Features with a label for each row, and a weight where there are some.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub x: ArrayView2<'a, f32>,
    pub labels: &'a [i64],
    pub weights: Option<&'a [f32]>,
}

/// A batch on its device.
pub(super) struct Batch {
    pub x: Matrix,
    pub targets: Targets,
    pub weights: Option<Matrix>,
}

impl Rows<'_> {
    /// Uploads these rows.
    pub fn batch(&self, device: &Device, rows: &[usize], classes: usize) -> Result<Batch> {
        let labels: Vec<_> = rows.iter().map(|row| self.labels[*row]).collect();
        let weights = self.weights.map(|weights| rows.iter().map(|row| weights[*row]).collect::<Vec<_>>());
        Ok(Batch {
            x: Matrix::from_array(device, self.x.select(Axis(0), rows).view())?,
            targets: Targets::classes(device, &labels, classes)?,
            weights: weights.map(|weights| Matrix::from_slice(device, rows.len(), 1, &weights)).transpose()?,
        })
    }
}

/// The order of an epoch's rows: the same for the same seed and epoch, whatever came before.
pub(super) fn order(rows: &[usize], seed: u64, epoch: usize) -> Vec<usize> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    rng.set_stream(1 + epoch as u64);
    let mut order = rows.to_vec();
    order.shuffle(&mut rng);
    order
}

/// Rows to train on and rows to validate on: of each class this share of its rows, rounded, drawn by the seed.
pub(super) fn split(labels: &[i64], classes: usize, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    if fraction == 0.0 {
        return ((0..labels.len()).collect(), Vec::new());
    }
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    // One group more for rows without a target, which validate nothing.
    let mut groups = vec![Vec::new(); classes + 1];
    for (row, label) in labels.iter().enumerate() {
        groups[usize::try_from(*label).unwrap_or(classes).min(classes)].push(row);
    }
    let (mut train, mut held) = (groups.pop().unwrap_or_default(), Vec::new());
    for mut group in groups {
        group.shuffle(&mut rng);
        let rest = group.split_off((fraction * group.len() as f64).round() as usize);
        held.extend(group);
        train.extend(rest);
    }
    train.sort_unstable();
    held.sort_unstable();
    (train, held)
}

#[cfg(test)]
mod tests {
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
        assert_eq!(split(&[0, -100, 0, 1], 2, 0.5, 0).1.len(), 2); // one of class 0, one of class 1 (0.5 rounds up)
    }

    #[test]
    fn an_epochs_order_depends_on_nothing_but_seed_and_epoch() {
        let rows: Vec<_> = (0..100).collect();
        assert_eq!(order(&rows, 1, 3), order(&rows, 1, 3));
        assert_ne!(order(&rows, 1, 3), order(&rows, 1, 4));
        assert_ne!(order(&rows, 1, 3), order(&rows, 2, 3));
    }
}
