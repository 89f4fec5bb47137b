//! Reading back several buffers at once.

use super::buffer::Buffer;
use super::context::Context;
use super::read::Plain;
use crate::error::Result;
use crate::waiting::Waiting;

/// The most buffers that are read together, and their most bytes: as many as fit into the staging memory that is kept, since new
/// memory is slow to allocate. A longer buffer comes in pieces.
const READ_TOGETHER: (usize, u64) = (1024, 16 << 20);

impl Context {
    /// Reads the contents of several buffers, with one wait for each group of buffers that are read together.
    pub async fn read_each<T: Plain>(&self, waiting: Waiting, buffers: &[&Buffer]) -> Result<Vec<Vec<T>>> {
        let (count, bytes) = READ_TOGETHER;
        let most = bytes.min(self.limits.max_buffer_size);
        let (mut values, mut rest) = (Vec::with_capacity(buffers.len()), buffers);
        while let Some(first) = rest.first() {
            let together = together(rest.iter().take(count).map(|buffer| buffer.bytes()), most);
            let (group, others) = rest.split_at(together.max(1));
            if together == 0 {
                values.push(self.read(waiting, first).await?);
            } else {
                let pieces: Vec<_> = group.iter().map(|buffer| buffer.range()).collect();
                self.start_read(&pieces)?.arrive(waiting, |piece| values.push(piece.to_vec())).await?;
            }
            rest = others;
        }
        self.check_guards(waiting, buffers).await?;
        Ok(values)
    }
}

/// The number of lengths, from the first on, whose sum is not above a limit.
fn together(lengths: impl Iterator<Item = u64>, most: u64) -> usize {
    let sums = lengths.scan(0, |sum: &mut u64, length| {
        *sum = sum.saturating_add(length);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= most).count()
}

#[cfg(test)]
mod tests {
    use super::{READ_TOGETHER, together};
    use crate::gpu::memory::staging::{MOST_READ_BYTES, Reads};

    #[test]
    fn what_is_read_together_goes_through_memory_that_is_kept() {
        // A receipt comes behind the content.
        assert!(Reads::size(READ_TOGETHER.1 + 8, u64::MAX) <= MOST_READ_BYTES);
    }

    #[test]
    fn as_many_are_read_together_as_fit() {
        let of = |lengths: &[u64], most| together(lengths.iter().copied(), most);
        assert_eq!([of(&[3, 4, 5], 12), of(&[3, 4, 5], 11), of(&[3, 4, 5], 2), of(&[], 2)], [3, 2, 0, 0]);
        assert_eq!(of(&[u64::MAX, u64::MAX], u64::MAX), 2);
    }
}
