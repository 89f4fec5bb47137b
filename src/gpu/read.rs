//! Reads: copies of results from the device to the host through staging buffers, and the waits for them.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

use super::buffer::Buffer;
use super::context::Context;
use super::driver::callback::{Answer, answer};
use super::driver::type_erased::Shared;
use super::encode::receipts::{Receipt, Receipts};
use super::memory::copy::copy_down;
use super::memory::mark::Mark;
use super::memory::raw::ByteRange;
use super::memory::staging::{PIECE_BYTES, Reads, Way};
use super::waits::Mapped;
use crate::error::{Error, Result};
use crate::host_memory::no_room;
use crate::waiting::Waiting;

/// The number of pieces of a long read that are in flight at a time.
const PIECES_IN_FLIGHT: usize = 4;

/// Types for which any bytes are a value.
pub(crate) trait Plain: bytemuck::AnyBitPattern + Send + Sync {}

impl<T: bytemuck::AnyBitPattern + Send + Sync> Plain for T {}

/// A read in flight: contents of buffers that the device copies to a staging buffer.
pub(crate) struct Reading<T> {
    context: Context,
    /// The staging buffer, the answer of its mapping, and the submission that fills it; `None` in a dry run.
    staged: Option<(Shared<wgpu::Buffer>, Answer<Mapped>, Option<wgpu::SubmissionIndex>)>,
    /// The receipt that the device should write behind the pieces, if receipts are needed.
    receipt: Option<Receipt>,
    /// The mark of the staging buffer.
    #[cfg(target_family = "wasm")]
    mark: Arc<Mark>,
    /// Values in each of the pieces.
    lengths: Vec<usize>,
    values: PhantomData<T>,
}

impl Context {
    /// The content of a buffer.
    pub async fn read<T: Plain>(&self, waiting: Waiting, buffer: &Buffer) -> Result<Vec<T>> {
        // Zeroed by the system, a page at a time, where it is first written to.
        let length = (buffer.bytes() / size_of::<T>() as u64) as usize;
        let mut values: Vec<T> =
            bytemuck::allocation::try_zeroed_vec(length).map_err(|()| no_room::<T>("to_array", length, 1))?;
        self.read_into(waiting, buffer, &mut values).await?;
        Ok(values)
    }

    /// Reads the content of a buffer into a slice of its length. A long content comes in pieces: while the host copies one, the
    /// device copies the next.
    pub async fn read_into<T: Plain>(&self, waiting: Waiting, buffer: &Buffer, values: &mut [T]) -> Result<()> {
        LongReading::new().arrive(waiting, buffer, values).await
    }

    /// Starts to read a buffer's content, without waiting for it.
    pub fn read_later<T: Plain>(&self, buffer: &Buffer) -> Result<Reading<T>> {
        self.start_read(&[buffer.range()])
    }

    /// The bytes of the receipt behind the content of a read; 0 on devices that give none.
    fn receipt_bytes(&self) -> u64 {
        self.live.as_ref().filter(|live| live.connection.needs_receipts).map_or(0, |_| Receipts::bytes())
    }

    /// Records copies of the pieces, one after another, into a staging buffer, and submits them.
    pub(super) fn start_read<T: Plain>(&self, pieces: &[ByteRange<'_>]) -> Result<Reading<T>> {
        self.check_device()?;
        let lengths = pieces.iter().map(|piece| piece.bytes as usize / size_of::<T>()).collect();
        // No other code uses this mark, so only this read is told if the copy is rejected.
        let mark = Arc::<Mark>::default();
        let reading = |staged, receipt| Reading {
            context: self.clone(),
            staged,
            receipt,
            #[cfg(target_family = "wasm")]
            mark: mark.clone(),
            lengths,
            values: PhantomData,
        };
        let Some(live) = &self.live else { return Ok(reading(None, None)) };
        let content: u64 = pieces.iter().map(|piece| piece.bytes).sum();
        let bytes = content + self.receipt_bytes();
        let staging = match live.reads.take(bytes, self.limits.max_buffer_size) {
            Some(staging) => staging,
            None => Shared::new(self.with_room(|| {
                Way::Down.new_buffer(&live.connection, Reads::size(bytes, self.limits.max_buffer_size))
            })?),
        };
        let recorded = self.record(pieces, &mark, |encoder| {
            let mut at = 0;
            for piece in pieces {
                if let Some(source) = piece.raw.wgpu() {
                    encoder.copy_buffer_to_buffer(source, piece.offset, &staging, at, Some(piece.bytes));
                }
                at += piece.bytes;
            }
        });
        self.or_lost(recorded)?;
        let mut recorder = live.recorder();
        let receipt = recorder.receipt(&live.connection, (&staging, content));
        let submission = recorder.submit(&live.connection, &self.counters);
        drop(recorder);
        live.catch_up();
        // The copy has been submitted by now, by this thread or by another.
        self.or_lost(mark.check())?;
        let (teller, answer) = answer();
        let turn = live.connection.turns.take();
        staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| teller.tell(result));
        drop(turn);
        self.check()?;
        Ok(reading(Some((staging, answer, submission)), receipt))
    }
}

/// The most bytes of a piece of a long read. A piece has whole values, and fits into the largest staging buffer together with its
/// receipt: staging buffers of the next size would be twice as large.
fn piece_bytes<T>(receipt: u64) -> u64 {
    let value = size_of::<T>().max(1) as u64;
    (PIECE_BYTES as u64 - receipt) / value * value
}

/// A read of a buffer of any length, which comes in pieces. Some of them may be in flight.
pub(crate) struct LongReading<T> {
    /// The bytes that have been read or are in flight.
    begun: u64,
    in_flight: VecDeque<Reading<T>>,
}

impl<T: Plain> LongReading<T> {
    /// A read of which no piece is in flight.
    pub fn new() -> Self {
        LongReading { begun: 0, in_flight: VecDeque::with_capacity(PIECES_IN_FLIGHT) }
    }

    /// Sends the next piece on its way, behind the commands that are recorded so far. Returns whether there was one.
    pub fn start_piece(&mut self, buffer: &Buffer) -> Result<bool> {
        let context = buffer.context();
        let bytes = (buffer.bytes() - self.begun).min(piece_bytes::<T>(context.receipt_bytes()));
        if bytes > 0 {
            let piece = ByteRange { raw: buffer.raw(), offset: buffer.offset() + self.begun, bytes };
            self.in_flight.push_back(context.start_read(&[piece])?);
            self.begun += bytes;
        }
        Ok(bytes > 0)
    }

    /// Waits for the content, and copies it to a slice of its length.
    pub async fn arrive(mut self, waiting: Waiting, buffer: &Buffer, values: &mut [T]) -> Result<()> {
        let mut rest = values;
        loop {
            while self.in_flight.len() < PIECES_IN_FLIGHT && self.begun < buffer.bytes() {
                if matches!(waiting, Waiting::Yielding) {
                    buffer.context().room_async().await?;
                }
                self.start_piece(buffer)?;
            }
            let Some(reading) = self.in_flight.pop_front() else { break };
            let copied = |piece: &[T]| {
                let (head, behind) = std::mem::take(&mut rest).split_at_mut(piece.len());
                copy_down(head, piece);
                rest = behind;
            };
            reading.arrive(waiting, copied).await?;
        }
        buffer.context().check_guards(waiting, &[buffer]).await
    }
}

/// In browsers: destroys the staging buffer of a read whose future is dropped, because dropping the handle frees nothing until the
/// garbage is collected.
#[cfg(target_family = "wasm")]
struct Awaited(Option<Shared<wgpu::Buffer>>);

#[cfg(target_family = "wasm")]
impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.iter().for_each(|staging| staging.destroy());
    }
}

impl<T> Drop for Reading<T> {
    /// Drops a read that was not waited for.
    fn drop(&mut self) {
        if let Some(live) = &self.context.live {
            let _turn = live.connection.turns.take();
            #[cfg(target_family = "wasm")]
            self.staged.iter().for_each(|(staging, ..)| staging.destroy());
            self.staged = None;
        }
    }
}

impl<T: Plain> Reading<T> {
    /// Waits for the content, and calls `look` with each piece.
    pub(super) async fn arrive(mut self, waiting: Waiting, look: impl FnMut(&[T])) -> Result<()> {
        let staging = match self.staged.take() {
            None => None,
            Some((staging, answer, submission)) => {
                #[cfg(target_family = "wasm")]
                let mut awaited = Awaited(Some(staging.clone()));
                let mapped = match waiting {
                    Waiting::Blocking => self.context.mapped(&answer, submission)?,
                    Waiting::Yielding => self.context.mapped_async(answer, submission).await?,
                };
                // A browser reports a rejection after the submit, and perhaps only after the content has come.
                #[cfg(target_family = "wasm")]
                if let Some(live) = &self.context.live {
                    let heard = live.recorder().heard_of(&self.mark);
                    heard.await;
                    self.mark.check()?;
                }
                mapped.map_err(|error| Error::Read { source: error.into() })?;
                #[cfg(target_family = "wasm")]
                drop(awaited.0.take());
                Some(staging)
            }
        };
        let context = self.context.clone();
        context.or_lost(self.unpack(staging, look))
    }

    /// Waits for the content, and appends it to `values`.
    pub async fn arrive_into(self, waiting: Waiting, values: &mut Vec<T>) -> Result<()> {
        self.arrive(waiting, |piece| values.extend_from_slice(piece)).await
    }

    /// Returns an error, and gives the device up as lost, if the device has not written the receipt.
    fn check_receipt(&self, found: &[u8]) -> Result<()> {
        match &self.context.live {
            Some(live) if self.receipt.is_some_and(|receipt| found != receipt) => {
                let reason = "its driver has ended work that failed or took too long, and says that it is done";
                live.connection.errors.lose(reason)
            }
            _ => Ok(()),
        }
    }

    /// Calls `look` with each piece of the staging buffer; with zeros in a dry run.
    fn unpack(self, staging: Option<Shared<wgpu::Buffer>>, mut look: impl FnMut(&[T])) -> Result<()> {
        let Some(staging) = staging else {
            self.lengths.iter().for_each(|length| look(&vec![T::zeroed(); *length]));
            return Ok(());
        };
        let _turn = self.context.live.as_ref().map(|live| live.connection.turns.take());
        let bytes = self.lengths.iter().map(|length| length * size_of::<T>()).sum::<usize>();
        let all = (bytes + self.receipt.map_or(0, |receipt| receipt.len())) as u64;
        let range = staging.get_mapped_range(..all).map_err(|error| Error::Read { source: error.into() })?;
        let (content, found) = range.split_at(bytes);
        self.check_receipt(found)?;
        let mut rest: &[T] = bytemuck::cast_slice(content);
        for length in &self.lengths {
            let (head, tail) = rest.split_at(*length);
            look(head);
            rest = tail;
        }
        drop(range);
        staging.unmap();
        if let Some(live) = &self.context.live {
            drop(live.reads.put(staging));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_and_its_receipt_fit_into_the_largest_staging_buffer() {
        let size = |bytes: u64| Reads::size(bytes, u64::MAX);
        assert_eq!((piece_bytes::<f32>(0), size(piece_bytes::<f32>(0))), (PIECE_BYTES as u64, PIECE_BYTES as u64));
        let receipt = Receipts::bytes();
        for (piece, value) in [(piece_bytes::<f32>(receipt), 4), (piece_bytes::<[u32; 6]>(receipt), 24)] {
            assert_eq!((size(piece + receipt), piece % value), (PIECE_BYTES as u64, 0));
        }
    }
}
