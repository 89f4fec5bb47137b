//! Numbers of rows: the rows that an epoch uses and their order, stored in as few bytes as possible.

use std::ops::Range;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

/// Numbers of rows in an order. Each takes four bytes if the numbers are small enough, otherwise eight.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RowNumbers {
    /// The rows from 0 up to but not including this number, in order. This takes no memory.
    First(usize),
    /// Rows whose numbers all fit into four bytes.
    Short(Vec<u32>),
    /// Rows with larger numbers.
    Long(Vec<u64>),
}

impl RowNumbers {
    /// Collects these numbers, all of which must be less than `below`.
    pub fn collect(numbers: impl Iterator<Item = usize>, below: usize) -> Self {
        match fit_short(below) {
            true => RowNumbers::Short(fitted(numbers.map(|number| number as u32))),
            false => RowNumbers::Long(fitted(numbers.map(|number| number as u64))),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            RowNumbers::First(count) => *count,
            RowNumbers::Short(numbers) => numbers.len(),
            RowNumbers::Long(numbers) => numbers.len(),
        }
    }

    /// The number at this place, which must be less than the length.
    pub fn at(&self, place: usize) -> usize {
        match self {
            RowNumbers::First(_) => place,
            RowNumbers::Short(numbers) => numbers[place] as usize,
            RowNumbers::Long(numbers) => numbers[place] as usize,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).map(|place| self.at(place))
    }

    /// The numbers at these places. Places beyond the end are left out.
    pub fn among(&self, places: Range<usize>) -> Vec<usize> {
        (places.start..places.end.min(self.len())).map(|place| self.at(place)).collect()
    }

    /// The numbers shuffled for an epoch. The order depends only on the seed and the epoch.
    pub fn shuffled(&self, seed: u64, epoch: usize) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(1 + epoch as u64);
        let mut order = match self {
            RowNumbers::First(count) => RowNumbers::collect(0..*count, *count),
            listed => listed.clone(),
        };
        match &mut order {
            RowNumbers::First(_) => {}
            RowNumbers::Short(numbers) => numbers.shuffle(&mut rng),
            RowNumbers::Long(numbers) => numbers.shuffle(&mut rng),
        }
        order
    }
}

/// Collects these numbers into a vector without spare capacity.
fn fitted<T>(numbers: impl Iterator<Item = T>) -> Vec<T> {
    let mut numbers: Vec<T> = numbers.collect();
    numbers.shrink_to_fit();
    numbers
}

/// Whether all numbers below this one fit into four bytes.
pub(super) fn fit_short(below: usize) -> bool {
    below as u64 <= 1 << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row numbers from 0 on, in each of the three forms.
    fn forms(count: u32) -> [RowNumbers; 3] {
        let (short, long) = ((0..count).collect(), (0..count.into()).collect());
        [RowNumbers::First(count as usize), RowNumbers::Short(short), RowNumbers::Long(long)]
    }

    #[test]
    fn an_epochs_order_depends_on_nothing_but_seed_and_epoch() {
        let rows = RowNumbers::First(100);
        assert_eq!(rows.shuffled(1, 3), rows.shuffled(1, 3));
        assert_ne!(rows.shuffled(1, 3), rows.shuffled(1, 4));
        assert_ne!(rows.shuffled(1, 3), rows.shuffled(2, 3));
        let mut sorted = rows.shuffled(1, 3).among(0..100);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_bytes_of_numbers_change_nothing() {
        for count in [0, 1, 2, 1000] {
            let orders = forms(count).map(|rows| rows.shuffled(7, 2).among(0..count as usize));
            assert!(orders.iter().all(|order| *order == orders[0]), "{count}: {orders:?}");
            for rows in forms(count) {
                assert_eq!(rows.len(), count as usize);
                assert!(rows.iter().eq(0..count as usize));
                assert_eq!(rows.among(1..3), (1..3.min(count as usize)).collect::<Vec<_>>(), "{rows:?}");
            }
        }
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn numbers_beyond_four_bytes_have_eight() {
        assert!(fit_short(1 << 32) && !fit_short((1 << 32) + 1));
        assert_eq!(RowNumbers::collect([(1 << 32) - 1].into_iter(), 1 << 32).at(0), (1 << 32) - 1);
        assert_eq!(RowNumbers::collect([1 << 32].into_iter(), (1 << 32) + 1).at(0), 1 << 32);
    }
}
