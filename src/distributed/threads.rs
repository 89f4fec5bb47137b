//! Ranks as threads of one process, which exchange their values in shared memory.

use std::ops::Range;
use std::sync::{Arc, Barrier, Mutex, PoisonError};

use super::communicator::{CommunicationError, Communicator};

/// The memory that the threads share: the values of each thread, and the barrier at which they meet.
struct Table {
    values: Mutex<Vec<Arc<Vec<f32>>>>,
    bytes: Mutex<Vec<Vec<u8>>>,
    meeting: Barrier,
}

/// A rank that is a thread of this process.
pub(super) struct Thread {
    rank: usize,
    size: usize,
    table: Arc<Table>,
}

impl Thread {
    /// The ranks of a group of this size.
    pub fn all(size: usize) -> impl Iterator<Item = Thread> {
        let values = Mutex::new(vec![Arc::default(); size]);
        let bytes = Mutex::new(vec![Vec::new(); size]);
        let table = Arc::new(Table { values, bytes, meeting: Barrier::new(size) });
        (0..size).map(move |rank| Thread { rank, size, table: table.clone() })
    }

    /// Shares this rank's bytes, waits for the other ranks, and reads from the bytes of all.
    fn lay<T>(&self, own: Vec<u8>, take: impl FnOnce(&[Vec<u8>]) -> T) -> T {
        locked(&self.table.bytes)[self.rank] = own;
        self.table.meeting.wait();
        let taken = take(&locked(&self.table.bytes));
        // No rank shares its next bytes before all ranks have read these.
        self.table.meeting.wait();
        taken
    }

    /// Shares this rank's values, waits for the other ranks, and returns the values of all without copying them.
    fn lay_values(&self, own: Vec<f32>) -> Vec<Arc<Vec<f32>>> {
        locked(&self.table.values)[self.rank] = Arc::new(own);
        self.table.meeting.wait();
        let all = locked(&self.table.values).clone();
        self.table.meeting.wait();
        all
    }
}

impl Communicator for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn local_rank(&self) -> usize {
        self.rank
    }

    fn sum(&self, values: &mut Vec<f32>) -> Result<(), CommunicationError> {
        let all = self.lay_values(std::mem::take(values));
        let own = part(all[self.rank].len(), self.size, self.rank);
        let mut sum = all[0][own.clone()].to_vec();
        for other in &all[1..] {
            sum.iter_mut().zip(&other[own.clone()]).for_each(|(sum, value)| *sum += value);
        }
        *values = self.lay_values(sum).iter().map(|part| part.as_slice()).collect::<Vec<_>>().concat();
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) -> Result<(), CommunicationError> {
        let first = self.rank == root;
        let own = if first { std::mem::take(bytes) } else { Vec::new() };
        self.lay(own, |all| {
            if !first {
                bytes.clear();
                bytes.extend_from_slice(&all[root]);
            }
        });
        if first {
            // All other ranks have copied the bytes by now.
            *bytes = std::mem::take(&mut locked(&self.table.bytes)[root]);
        }
        Ok(())
    }

    fn exchange(&self, own: Vec<u8>) -> Result<Vec<u8>, CommunicationError> {
        Ok(self.lay(own, <[_]>::concat))
    }
}

/// The range of the values that a rank adds for all ranks. Ranges have equal lengths, except that the last may be shorter.
fn part(values: usize, size: usize, rank: usize) -> Range<usize> {
    let length = values.div_ceil(size);
    let first = values.min(length * rank);
    first..values.min(first + length)
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
