//! Reading back: the only place where the crate waits for the device.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::buffers::{Buffer, GUARD_BYTES, POISON};
use super::context::{Context, Live};
use super::windows::Piece;
use crate::error::{Error, ReadError, Result};

/// The answer to `map_async`.
type Mapped = Result<(), wgpu::BufferAsyncError>;

/// Results come back through a staging buffer of at most this size.
const STAGING_BYTES: u64 = 64 << 20;

/// Contents on their way back to the host.
pub(crate) struct Reading<T> {
    context: Context,
    /// The staging buffer, the answer of its mapping, and the submission that fills it; `None` in a dry run.
    staged: Option<(wgpu::Buffer, Receiver<Mapped>, Option<wgpu::SubmissionIndex>)>,
    /// Values in each of the pieces.
    lengths: Vec<usize>,
    values: PhantomData<T>,
}

impl Context {
    /// The content of a buffer.
    pub fn read<T: bytemuck::AnyBitPattern>(&self, buffer: &Buffer) -> Result<Vec<T>> {
        let mut values = Vec::new();
        self.read_into(buffer, &mut values)?;
        Ok(values)
    }

    /// Appends the content of a buffer to what is there.
    pub fn read_into<T: bytemuck::AnyBitPattern>(&self, buffer: &Buffer, values: &mut Vec<T>) -> Result<()> {
        values.reserve((buffer.bytes() / size_of::<T>() as u64) as usize);
        let (mut offset, end) = (buffer.offset(), buffer.offset() + buffer.bytes());
        while offset < end {
            let bytes = (end - offset).min(STAGING_BYTES);
            self.start_read(&[Piece { buffer, offset, bytes }])?.show(|piece| values.extend_from_slice(piece))?;
            offset += bytes;
        }
        if buffer.is_guarded() { self.check_guard(buffer) } else { Ok(()) }
    }

    /// The contents of several small buffers, with a single wait.
    pub fn read_each<T: bytemuck::AnyBitPattern>(&self, buffers: &[&Buffer]) -> Result<Vec<Vec<T>>> {
        let mut values = Vec::with_capacity(buffers.len());
        for group in buffers.chunks(1024) {
            let pieces: Vec<_> = group.iter().map(|buffer| Piece::of(buffer)).collect();
            self.start_read(&pieces)?.show(|piece| values.push(piece.to_vec()))?;
        }
        Ok(values)
    }

    /// Starts to bring a buffer's content back, and does not wait for it.
    pub fn read_later<T: bytemuck::AnyBitPattern>(&self, buffer: &Buffer) -> Result<Reading<T>> {
        self.start_read(&[Piece::of(buffer)])
    }

    /// Copies the pieces one behind another into staging memory and hands that to the queue.
    fn start_read<T: bytemuck::AnyBitPattern>(&self, pieces: &[Piece<'_>]) -> Result<Reading<T>> {
        self.check()?;
        let lengths = pieces.iter().map(|piece| piece.bytes as usize / size_of::<T>()).collect();
        let reading = |staged| Reading { context: self.clone(), staged, lengths, values: PhantomData };
        let Some(live) = &self.live else { return Ok(reading(None)) };
        let staging = live.staging(pieces.iter().map(|piece| piece.bytes).sum())?;
        self.record(|encoder| {
            let mut at = 0;
            for piece in pieces {
                if let Some(source) = piece.buffer.wgpu() {
                    encoder.copy_buffer_to_buffer(source, piece.offset, &staging, at, Some(piece.bytes));
                }
                at += piece.bytes;
            }
        })?;
        let submission = self.submit(live, &mut live.recorder());
        let (sender, receiver) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // Nobody listens where the reading was given up.
            let _ = sender.send(result);
        });
        self.check()?;
        Ok(reading(Some((staging, receiver, submission))))
    }

    /// Waits for a submission, or for everything.
    pub(super) fn poll(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let Some(live) = &self.live else { return Ok(()) };
        self.counters.waits.fetch_add(1, Relaxed);
        let waited = live.device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
        self.check()?;
        waited.map_err(|error| Error::Read { source: error.into() }).map(|_| ())
    }

    /// Looks whether the tail behind a guarded buffer is as it was.
    fn check_guard(&self, buffer: &Buffer) -> Result<()> {
        let mut intact = true;
        let guard = Piece { buffer, offset: buffer.bytes(), bytes: GUARD_BYTES };
        self.start_read::<u32>(&[guard])?.show(|words| intact = words.iter().all(|word| *word == POISON))?;
        if intact { Ok(()) } else { Err(Error::Read { source: ReadError::Guard }) }
    }
}

impl<T: bytemuck::AnyBitPattern> Reading<T> {
    /// Waits, and shows the pieces one by one.
    fn show(self, mut look: impl FnMut(&[T])) -> Result<()> {
        let failed = |source: ReadError| Error::Read { source };
        let Some((staging, answer, submission)) = self.staged else {
            let zeros = |length: &usize| look(&vec![T::zeroed(); *length]);
            self.lengths.iter().for_each(zeros);
            return Ok(());
        };
        self.context.mapped(&answer, submission)?.map_err(|error| failed(error.into()))?;
        let range = staging.get_mapped_range(..).map_err(|error| failed(error.into()))?;
        let mut rest: &[T] = bytemuck::cast_slice(&range);
        for length in self.lengths {
            let (head, tail) = rest.split_at(length);
            look(head);
            rest = tail;
        }
        drop(range);
        staging.unmap();
        Ok(())
    }

    /// Waits, and appends what has come to what is there.
    pub fn finish_into(self, values: &mut Vec<T>) -> Result<()> {
        self.show(|piece| values.extend_from_slice(piece))
    }
}

impl Context {
    /// Waits for the answer to `map_async`. Another thread's poll may have taken the callback with it and be about to
    /// call it, so a poll that has returned does not mean that the answer is there.
    fn mapped(&self, answer: &Receiver<Mapped>, submission: Option<wgpu::SubmissionIndex>) -> Result<Mapped> {
        loop {
            self.poll(submission.clone())?;
            match answer.recv_timeout(Duration::from_millis(10)) {
                Ok(mapped) => return Ok(mapped),
                Err(RecvTimeoutError::Timeout) => self.check()?,
                // The callback is gone uncalled: the device went away.
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(wgpu::BufferAsyncError)),
            }
        }
    }
}

impl Live {
    fn staging(&self, size: u64) -> Result<wgpu::Buffer> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            Some(source) => Err(Error::OutOfMemory { bytes: size, source: Some(source) }),
            None => Ok(staging),
        }
    }
}
