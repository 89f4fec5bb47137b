//! The split of rows into rows to train on and rows to validate on.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::batches::class_of;
use super::row_numbers::{RowNumbers, fit_short};
use crate::shares::shares;

/// Splits rows with these class ids into rows to train on and rows to validate on, and returns both.
///
/// The rows to validate on are this fraction of the rows that have a class, rounded up to whole rows. A generator with this seed
/// draws them from each class in proportion, but never all rows of a class, as `train_test_split` does with `stratify`.
pub(super) fn split(ids: &[u32], classes: usize, fraction: f64, seed: u64) -> (RowNumbers, RowNumbers) {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    if fit_short(ids.len()) {
        let (train, held) = drawn(grouped(ids, classes, |row| row as u32), fraction, &mut rng);
        (RowNumbers::Short(train), RowNumbers::Short(held))
    } else {
        let (train, held) = drawn(grouped(ids, classes, |row| row as u64), fraction, &mut rng);
        (RowNumbers::Long(train), RowNumbers::Long(held))
    }
}

/// Groups the rows by class. The last group has the ignored rows, which are of no use in a validation.
fn grouped<T>(ids: &[u32], classes: usize, number: impl Fn(usize) -> T) -> Vec<Vec<T>> {
    let group_of = |id: u32| class_of(id).unwrap_or(classes);
    let mut sizes = vec![0; classes + 1];
    ids.iter().for_each(|id| sizes[group_of(*id)] += 1);
    let mut groups: Vec<Vec<T>> = sizes.into_iter().map(Vec::with_capacity).collect();
    for (row, id) in ids.iter().enumerate() {
        groups[group_of(*id)].push(number(row));
    }
    groups
}

/// Draws the rows to hold back from these groups, and returns the rows to train on and the rows that are held back. No rows of
/// the last group are held back.
fn drawn<T: Ord>(mut groups: Vec<Vec<T>>, fraction: f64, rng: &mut ChaCha12Rng) -> (Vec<T>, Vec<T>) {
    let mut train = groups.pop().unwrap_or_default();
    let sizes: Vec<_> = groups.iter().map(Vec::len).collect();
    let all: usize = sizes.iter().sum();
    let wanted = (fraction * all as f64).ceil() as usize;
    let mut held = Vec::with_capacity(wanted);
    train.reserve_exact(all.saturating_sub(wanted));
    for (mut group, share) in groups.into_iter().zip(shares(&sizes, wanted)) {
        group.shuffle(rng);
        train.extend(group.drain(share..));
        held.extend(group);
    }
    train.sort_unstable();
    held.sort_unstable();
    (train, held)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::targets::Targets;

    /// The two parts of a split, as vectors.
    fn split(ids: &[u32], classes: usize, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
        let (train, held) = super::split(ids, classes, fraction, seed);
        (train.iter().collect(), held.iter().collect())
    }

    #[test]
    fn a_split_takes_its_share_of_every_class_and_loses_nothing() {
        let ids: Vec<u32> = (0..1000).map(|row| if row % 10 == 0 { 2 } else { row % 2 }).collect();
        let (train, held) = split(&ids, 3, 0.25, 7);
        let count = |rows: &[usize], class| rows.iter().filter(|row| ids[**row] == class).count();
        assert_eq!([0, 1, 2].map(|class| count(&held, class)), [100, 125, 25]);
        let mut all = [train.clone(), held.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_eq!((train.clone(), held), split(&ids, 3, 0.25, 7));
        assert_ne!(train, split(&ids, 3, 0.25, 8).0);
    }

    #[test]
    fn a_split_of_many_small_classes_takes_its_share_of_all_rows_and_all_of_no_class() {
        let ids: Vec<u32> = (0..4000).map(|row| row % 1000).collect();
        for (fraction, share) in [(0.1, 400), (0.125, 500), (0.9, 3000)] {
            let (train, held) = split(&ids, 1000, fraction, 3);
            assert_eq!((train.len(), held.len()), (4000 - share, share), "{fraction}");
            let trained: HashSet<_> = train.iter().map(|row| ids[*row]).collect();
            assert_eq!(trained.len(), 1000, "{fraction}");
        }
        let (train, held) = split(&[0, 1, 1, 1], 2, 0.5, 0);
        assert!(train.contains(&0) && held.len() == 2, "{train:?} {held:?}");
        assert!(split(&[0, 1, 2], 3, 0.5, 0).1.is_empty());
    }

    #[test]
    fn rows_that_do_not_count_are_not_held_back() {
        let ids = [0, Targets::MARK, 0, 1, 1, Targets::MARK, Targets::MARK, Targets::MARK];
        let (train, held) = split(&ids, 3, 0.5, 0);
        assert_eq!((train.len(), held.len()), (6, 2));
        assert!(held.iter().all(|row| [0, 1].contains(&ids[*row])), "{held:?}");
    }

    #[test]
    fn the_bytes_of_numbers_change_no_split() {
        let ids: Vec<u32> = (0..500).map(|row| row % 7).collect();
        let generator = || ChaCha12Rng::seed_from_u64(5);
        let short = drawn(grouped(&ids, 7, |row| row as u32), 0.3, &mut generator());
        let long = drawn(grouped(&ids, 7, |row| row as u64), 0.3, &mut generator());
        let longer = |rows: Vec<u32>| rows.into_iter().map(u64::from).collect::<Vec<_>>();
        assert_eq!((longer(short.0), longer(short.1)), long);
    }
}
