//! Reading back: the only place where the crate waits for the device.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use super::answer::{Answer, answer};
use super::buffers::{Buffer, GUARD_BYTES, POISON};
use super::context::{Context, Live};
use super::shared::Shared;
use super::windows::Piece;
use crate::error::{Error, ReadError, Result};
use crate::waiting::{Waiting, give_way};

/// The answer to `map_async`.
type Mapped = Result<(), wgpu::BufferAsyncError>;

/// Results come back through a staging buffer of at most this size.
const STAGING_BYTES: u64 = 64 << 20;

/// Contents on their way back to the host.
pub(crate) struct Reading<T> {
    context: Context,
    /// The staging buffer, the answer of its mapping, and the submission that fills it; `None` in a dry run.
    staged: Option<(Shared<wgpu::Buffer>, Answer<Mapped>, Option<wgpu::SubmissionIndex>)>,
    /// Values in each of the pieces.
    lengths: Vec<usize>,
    values: PhantomData<T>,
}

impl Context {
    /// The content of a buffer.
    pub async fn read<T: bytemuck::AnyBitPattern>(&self, waiting: Waiting, buffer: &Buffer) -> Result<Vec<T>> {
        let mut values = Vec::with_capacity((buffer.bytes() / size_of::<T>() as u64) as usize);
        let (mut offset, end) = (buffer.offset(), buffer.offset() + buffer.bytes());
        while offset < end {
            let bytes = (end - offset).min(STAGING_BYTES);
            self.start_read(&[Piece { buffer, offset, bytes }])?.arrive_into(waiting, &mut values).await?;
            offset += bytes;
        }
        if buffer.is_guarded() {
            self.check_guard(waiting, buffer).await?;
        }
        Ok(values)
    }

    /// The contents of several small buffers, with a single wait.
    pub async fn read_each<T: bytemuck::AnyBitPattern>(
        &self,
        waiting: Waiting,
        buffers: &[&Buffer],
    ) -> Result<Vec<Vec<T>>> {
        let mut values = Vec::with_capacity(buffers.len());
        for group in buffers.chunks(1024) {
            let pieces: Vec<_> = group.iter().map(|buffer| Piece::of(buffer)).collect();
            self.start_read(&pieces)?.arrive(waiting, |piece| values.push(piece.to_vec())).await?;
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
        live.catch_up();
        let (teller, answer) = answer();
        let turn = live.turns.take();
        staging.map_async(wgpu::MapMode::Read, .., move |result| teller.tell(result));
        drop(turn);
        self.check()?;
        Ok(reading(Some((Shared::new(staging), answer, submission))))
    }

    /// [`Context::wait`] without blocking the thread.
    pub async fn wait_async(&self) -> Result<()> {
        self.flush()?;
        let Some(live) = &self.live else { return Ok(()) };
        self.counters.waits.fetch_add(1, Relaxed);
        let (teller, answer) = answer();
        {
            let _turn = live.turns.take();
            live.queue.on_submitted_work_done(move || teller.tell(()));
        }
        live.poller.ask(&live.device, None);
        answer.await;
        self.check()
    }

    /// Sees to it that what is recorded next need not wait for the device: of what it has been handed, so much is done that
    /// no bound is near.
    pub async fn room_async(&self) -> Result<()> {
        if let Some((number, done)) = self.oldest_done() {
            // The other tasks' turn, also where it is done by now.
            give_way().await;
            done.await;
            // Not before: a future that is dropped forgets none.
            if let Some(live) = &self.live {
                live.recorder().is_done(number);
            }
        }
        self.check()
    }

    /// Tells when so much is done, where it is not yet.
    fn oldest_done(&self) -> Option<(u64, Answer<()>)> {
        let live = self.live.as_ref()?;
        let (number, oldest) = live.recorder().oldest()?;
        Some((number, live.poller.after(&live.device, Some(oldest))))
    }

    /// Waits for a submission, or for everything.
    pub(super) fn poll(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let Some(live) = &self.live else { return Ok(()) };
        self.counters.waits.fetch_add(1, Relaxed);
        let waited = live.wait_for(submission_index.as_ref());
        self.check()?;
        waited.map_err(|error| Error::Read { source: error.into() })
    }

    /// Looks whether the tail behind a guarded buffer is as it was.
    async fn check_guard(&self, waiting: Waiting, buffer: &Buffer) -> Result<()> {
        let mut intact = true;
        let guard = Piece { buffer, offset: buffer.bytes(), bytes: GUARD_BYTES };
        let look = |words: &[u32]| intact = words.iter().all(|word| *word == POISON);
        self.start_read::<u32>(&[guard])?.arrive(waiting, look).await?;
        if intact { Ok(()) } else { Err(Error::Read { source: ReadError::Guard }) }
    }
}

impl<T: bytemuck::AnyBitPattern> Reading<T> {
    /// Waits, and shows the pieces one by one.
    async fn arrive(mut self, waiting: Waiting, look: impl FnMut(&[T])) -> Result<()> {
        let staging = match self.staged.take() {
            None => None,
            Some((staging, answer, submission)) => {
                let mapped = match waiting {
                    Waiting::Blocking => self.context.mapped(&answer, submission)?,
                    Waiting::Yielding => self.context.mapped_async(answer, submission).await?,
                };
                mapped.map_err(|error| Error::Read { source: error.into() })?;
                Some(staging)
            }
        };
        self.unpack(staging, look)
    }

    /// Waits, and appends what has come to what is there.
    pub async fn arrive_into(self, waiting: Waiting, values: &mut Vec<T>) -> Result<()> {
        self.arrive(waiting, |piece| values.extend_from_slice(piece)).await
    }

    /// Shows what has come to the staging buffer; zeros in a dry run.
    fn unpack(self, staging: Option<Shared<wgpu::Buffer>>, mut look: impl FnMut(&[T])) -> Result<()> {
        let Some(staging) = staging else {
            self.lengths.iter().for_each(|length| look(&vec![T::zeroed(); *length]));
            return Ok(());
        };
        let _turn = self.context.live.as_ref().map(|live| live.turns.take());
        let range = staging.get_mapped_range(..).map_err(|error| Error::Read { source: error.into() })?;
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
}

impl Context {
    /// Waits for the answer to `map_async`. Another thread's poll may have taken the callback with it and be about to
    /// call it, so a poll that has returned does not mean that the answer is there.
    fn mapped(&self, answer: &Answer<Mapped>, submission: Option<wgpu::SubmissionIndex>) -> Result<Mapped> {
        loop {
            self.poll(submission.clone())?;
            match answer.within(Duration::from_millis(10)) {
                Poll::Ready(Some(mapped)) => return Ok(mapped),
                Poll::Pending => self.check()?,
                // The callback is gone uncalled: the device went away.
                Poll::Ready(None) => return Ok(Err(wgpu::BufferAsyncError)),
            }
        }
    }

    /// The same without blocking the thread.
    async fn mapped_async(&self, answer: Answer<Mapped>, submission: Option<wgpu::SubmissionIndex>) -> Result<Mapped> {
        self.counters.waits.fetch_add(1, Relaxed);
        if let Some(live) = &self.live {
            live.poller.ask(&live.device, submission);
        }
        let mapped = answer.await;
        self.check()?;
        Ok(mapped.unwrap_or(Err(wgpu::BufferAsyncError)))
    }
}

impl Live {
    fn staging(&self, size: u64) -> Result<wgpu::Buffer> {
        let _turn = self.turns.take();
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
