//! Rounds, in which ranks agree: each rank sends its call, with its numbers or its error.

use std::sync::atomic::Ordering::Relaxed;

use super::communicator::CommunicationError;
use super::message::{Call, EVERY_CALL, Message, NOT_TOLD, Numbers};
use super::ranks::Ranks;
use crate::error::{Error, RanksError, Result};
use crate::host_memory::{host_filled, host_room};

/// The maximal number of bytes of a failed rank's error message.
const MOST_WORDS: usize = 1 << 16;

/// An error of any type that becomes the source of [`RanksError::Failed`].
type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Ranks {
    /// Ends a call. If all ranks have a value, each returns its own. Otherwise all return the error of the first rank that
    /// failed. An error of the last round is already known to all ranks.
    pub(crate) fn settled<T>(&self, call: Call, outcome: Result<T>) -> Result<T> {
        match outcome {
            outcome if self.size() == 1 => outcome,
            Ok(value) => self.round(call, Ok(Numbers::default())).map(|_| value),
            Err(error @ Error::Ranks(_)) if self.told_in(call) => Err(error),
            // A call within this one, such as a callback's, has ended with this error, which names its rank. Others may go on.
            Err(error @ Error::Ranks(_)) if self.told.load(Relaxed) != NOT_TOLD => {
                let _ = self.round(call, Err(error.to_string().into()));
                Err(error)
            }
            Err(error) => self.fail(call, error.into()),
        }
    }

    /// Tells all ranks that this rank has failed. If the error of another rank is reported, this rank's error is logged.
    pub(super) fn fail<T>(&self, call: Call, cause: Cause) -> Result<T> {
        let words = cause.to_string();
        let error = match self.round(call, Err(cause)) {
            Err(error) => error,
            Ok(_) => failed(self.rank(), "failed".into()),
        };
        if let Error::Ranks(RanksError::Failed { rank, .. }) = &error
            && *rank != self.rank()
        {
            log::warn!("rank {}: {words}; rank {rank} failed too, and is the one that is reported", self.rank());
        }
        Err(error)
    }

    /// Makes one round as [`Ranks::one_round`] does, and remembers whether it ended with an error.
    pub(crate) fn round(&self, call: Call, own: std::result::Result<Numbers, Cause>) -> Result<Vec<Numbers>> {
        // If the ranks turn out to be in different calls, an error ends all of these.
        self.told.store(EVERY_CALL, Relaxed);
        let outcome = self.one_round(call, own);
        if outcome.is_ok() {
            self.told.store(NOT_TOLD, Relaxed);
        }
        outcome
    }

    /// Makes one round: every rank sends its call, with its numbers or its error. Returns the numbers of all ranks.
    fn one_round(&self, call: Call, own: std::result::Result<Numbers, Cause>) -> Result<Vec<Numbers>> {
        if let Some(rank) = self.left.get() {
            return Err(failed(*rank, "has ended".into()));
        }
        let words = own.as_ref().err().map(|cause| shortened(cause.to_string()));
        let length = words.as_ref().map(|words| words.len() as u32);
        let own_message = Message { call, failed: length, numbers: *own.as_ref().unwrap_or(&Numbers::default()) };
        let all = self.communicator.exchange(own_message.bytes()).map_err(communication)?;
        let all = all.chunks(Message::BYTES).map(Message::read).collect::<std::result::Result<Vec<_>, _>>();
        let all = all.map_err(communication)?;
        if all.len() != self.size() || self.rank() >= all.len() {
            return Err(communication("there is not a message of each rank".into()));
        }
        if all.iter().all(|message| message.call == call) {
            self.told.store(call as u8, Relaxed);
        }
        if call != Call::Leave
            && let Some(rank) = all.iter().position(|message| message.call == Call::Leave)
        {
            // It is set only once, since no round follows.
            let _ = self.left.set(rank);
        }
        if let Some((rank, length)) = all.iter().enumerate().find_map(|(rank, one)| Some((rank, one.failed?))) {
            let mut told = match words {
                Some(words) if rank == self.rank() => words.into_bytes(),
                _ => vec![0; length as usize],
            };
            self.communicator.broadcast(rank, &mut told).map_err(communication)?;
            let source = match own {
                Err(cause) if rank == self.rank() => cause,
                _ => String::from_utf8_lossy(&told).into_owned().into(),
            };
            return Err(failed(rank, source));
        }
        let wanted = all[0].call;
        if let Some(rank) = all.iter().position(|message| message.call != wanted) {
            let (value, wanted) = (all[rank].call.name().into(), wanted.name().into());
            let what = "the call that they are in".into();
            return Err(Error::Ranks(RanksError::Differ { what, rank, value, wanted }));
        }
        Ok(all.into_iter().map(|message| message.numbers).collect())
    }

    /// Collects the bytes of all ranks, whose lengths may differ.
    pub(crate) fn gather(&self, call: Call, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let filled = |length: &usize| host_filled(call.name(), (*length, 1), 0);
        let room = |lengths: &[usize]| lengths.iter().map(filled).collect::<Result<Vec<Vec<u8>>>>();
        let (_, mut all) = self.room_for(call, own.len(), room)?;
        for (rank, bytes) in all.iter_mut().enumerate() {
            if rank == self.rank() {
                bytes.clear();
                bytes.extend_from_slice(own);
            }
            self.communicator.broadcast(rank, bytes).map_err(communication)?;
        }
        Ok(all)
    }

    /// Collects the values of all ranks, in the order of the ranks. The numbers of values may differ.
    pub(crate) fn joined<T: bytemuck::Pod>(&self, call: Call, own: &[T]) -> Result<Vec<T>> {
        let room = |lengths: &[usize]| {
            let bytes = lengths.iter().fold(0usize, |sum, length| sum.saturating_add(*length));
            host_room(call.name(), bytes / size_of::<T>(), 1)
        };
        self.visit(call, bytemuck::cast_slice(own), room, |all: &mut Vec<T>, bytes| {
            all.extend(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned::<T>));
        })
    }

    /// Adds the counts of all ranks element by element. All ranks must pass equal numbers of counts.
    pub(crate) fn sum_counts(&self, call: Call, own: &[u64]) -> Result<Vec<u64>> {
        let room = |_: &[usize]| host_filled(call.name(), (own.len(), 1), 0);
        self.visit(call, bytemuck::cast_slice(own), room, |sums: &mut Vec<u64>, bytes| {
            let counts = bytes.chunks_exact(size_of::<u64>()).map(bytemuck::pod_read_unaligned::<u64>);
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        })
    }

    /// Calls `look` with the bytes of each rank in turn. Only one rank's bytes are in memory at a time. `room` gets the lengths
    /// of all, and allocates what `look` keeps.
    fn visit<R>(
        &self,
        call: Call,
        own: &[u8],
        room: impl FnOnce(&[usize]) -> Result<R>,
        mut look: impl FnMut(&mut R, &[u8]),
    ) -> Result<R> {
        let (lengths, (mut bytes, mut kept)) = self.room_for(call, own.len(), |lengths| {
            let longest = lengths.iter().copied().max().unwrap_or(0);
            Ok((host_room::<u8>(call.name(), longest, 1)?, room(lengths)?))
        })?;
        for (rank, length) in lengths.into_iter().enumerate() {
            bytes.clear();
            if rank == self.rank() {
                bytes.extend_from_slice(own);
            } else {
                bytes.resize(length, 0);
            }
            self.communicator.broadcast(rank, &mut bytes).map_err(communication)?;
            look(&mut kept, &bytes);
        }
        Ok(kept)
    }

    /// Allocates memory for the bytes of all ranks, which first exchange their lengths. If this fails on a rank, all return an
    /// error. Returns the lengths too.
    fn room_for<R>(&self, call: Call, own: usize, room: impl FnOnce(&[usize]) -> Result<R>) -> Result<(Vec<usize>, R)> {
        let mut numbers = Numbers::default();
        numbers[0] = own as u64;
        let all = self.round(call, Ok(numbers))?;
        let lengths: Vec<_> = all.iter().map(|numbers| usize::try_from(numbers[0]).unwrap_or(usize::MAX)).collect();
        match room(&lengths) {
            Ok(room) => self.round(call, Ok(Numbers::default())).map(|_| (lengths, room)),
            Err(error) => self.fail(call, error.into()),
        }
    }

    /// Allocates room for values to add, and for the zeros that may follow them to make parts of equal length. This comes before
    /// the sum, since a rank cannot report an error once the others add.
    pub(crate) fn room_to_sum(&self, op: &'static str, values: usize) -> Result<Vec<f32>> {
        host_room(op, values.saturating_add(self.most_zeros()), 1)
    }

    /// The maximal number of zeros that may follow the values, so that each rank adds a part of the same length.
    pub(super) fn most_zeros(&self) -> usize {
        self.size().saturating_sub(1)
    }

    /// Adds as [`Ranks::sum`] does, when an earlier round has shown that all ranks have the same number of values.
    pub(crate) fn sum_after_a_round(&self, values: &mut Vec<f32>) -> Result<()> {
        self.communicator.sum(values).map_err(communication)
    }

    /// Makes a round in which a number must be equal on all ranks.
    pub(crate) fn same(&self, call: Call, what: &str, own: u64) -> Result<()> {
        let mut numbers = Numbers::default();
        numbers[0] = own;
        let all = self.round(call, Ok(numbers))?;
        let other = all.iter().position(|numbers| numbers[0] != all[0][0]);
        other.map_or(Ok(()), |rank| {
            let (value, wanted) = (all[rank][0].to_string(), all[0][0].to_string());
            Err(self.seen_by_all(call, RanksError::Differ { what: what.into(), rank, value, wanted }))
        })
    }

    /// An error that every rank detects by itself, so that no rank has to be told.
    pub(crate) fn seen_by_all(&self, call: Call, error: RanksError) -> Error {
        self.told.store(call as u8, Relaxed);
        Error::Ranks(error)
    }
}

/// The error of a message that could not be carried.
pub(crate) fn communication(source: CommunicationError) -> Error {
    Error::Ranks(RanksError::Communication { source })
}

fn failed(rank: usize, source: Cause) -> Error {
    Error::Ranks(RanksError::Failed { rank, source })
}

/// Cuts an error message to the length that all ranks have room for.
fn shortened(mut words: String) -> String {
    let most = (0..=MOST_WORDS.min(words.len())).rev().find(|end| words.is_char_boundary(*end));
    words.truncate(most.unwrap_or(0));
    words
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::host_memory::no_room;

    #[test]
    fn values_of_all_ranks_come_in_their_order() {
        let all = Ranks::in_threads(3, |ranks| {
            let own = vec![vec![1u32, 2], Vec::new(), vec![3, 4, 5]].swap_remove(ranks.rank());
            let bytes = ranks.gather(Call::Agree, bytemuck::cast_slice(&own))?;
            assert_eq!(bytes.iter().map(Vec::len).collect::<Vec<_>>(), [8, 0, 12]);
            ranks.joined(Call::Agree, &own)
        });
        for all in all {
            assert_eq!(all.ok().as_deref(), Some(&[1, 2, 3, 4, 5][..]));
        }
    }

    /// The memory is missing on all ranks, or on only one of them.
    #[test]
    fn memory_that_is_not_there_is_an_error_on_all_ranks() {
        let told = |room: &(dyn Fn(usize) -> Result<Vec<u8>> + Sync), first: usize| {
            let call = |ranks: &Ranks| ranks.room_for(Call::Predict, 1, |_| room(ranks.rank())).map(drop);
            for outcome in Ranks::in_threads(2, call) {
                match outcome {
                    Err(Error::Ranks(RanksError::Failed { rank, source })) => {
                        assert_eq!(rank, first);
                        assert_eq!(source.to_string(), no_room::<u8>("predict", usize::MAX, 1).to_string());
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        let none = || host_room::<u8>("predict", usize::MAX, 1);
        told(&|_| none(), 0);
        told(&|rank| if rank == 1 { none() } else { Ok(Vec::new()) }, 1);
    }

    #[test]
    fn values_to_add_have_room_for_the_zeros_behind_them() {
        for outcome in Ranks::in_threads(3, |ranks| ranks.room_to_sum("fit", 7)) {
            assert!(outcome.is_ok_and(|room| room.is_empty() && room.capacity() >= 9));
        }
        let words = |outcome: Result<Vec<f32>>| outcome.err().map(|error| error.to_string());
        let wanted = no_room::<f32>("fit", usize::MAX, 1).to_string();
        assert_eq!(words(Ranks::alone().room_to_sum("fit", usize::MAX)), Some(wanted));
    }

    #[test]
    fn counts_are_added_in_their_places() {
        for sums in Ranks::in_threads(3, |ranks| ranks.sum_counts(Call::Agree, &[1, ranks.rank() as u64, 1 << 40])) {
            assert_eq!(sums.ok().as_deref(), Some(&[3, 3, 3 << 40][..]));
        }
    }
}
