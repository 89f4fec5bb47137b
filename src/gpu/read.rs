//! Reading back: the only place where the crate waits for the device.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::buffers::{Buffer, GUARD_BYTES, POISON};
use super::context::Context;
use crate::error::{Error, ReadError, Result};

/// The answer to `map_async`.
type Mapped = Result<(), wgpu::BufferAsyncError>;

/// Results come back through a staging buffer of at most this size.
const STAGING_BYTES: u64 = 64 << 20;

impl Context {
    /// The content of a buffer.
    pub fn read<T: bytemuck::AnyBitPattern>(&self, buffer: &Buffer) -> Result<Vec<T>> {
        let mut values = Vec::with_capacity((buffer.bytes() / size_of::<T>() as u64) as usize);
        let mut offset = 0;
        while offset < buffer.bytes() {
            let bytes = (buffer.bytes() - offset).min(STAGING_BYTES);
            self.read_pieces(&[(buffer, offset, bytes)], |bytes| {
                values.extend_from_slice(bytemuck::cast_slice(bytes))
            })?;
            offset += bytes;
        }
        if self.options.guarded_buffers {
            self.check_guard(buffer)?;
        }
        Ok(values)
    }

    /// The contents of several small buffers, with a single wait.
    pub fn read_each<T: bytemuck::AnyBitPattern>(&self, buffers: &[&Buffer]) -> Result<Vec<Vec<T>>> {
        let pieces: Vec<_> = buffers.iter().map(|buffer| (*buffer, 0, buffer.bytes())).collect();
        let mut values = Vec::with_capacity(buffers.len());
        for group in pieces.chunks(1024) {
            self.read_pieces(group, |bytes| {
                let mut rest = bytes;
                for (_, _, bytes) in group {
                    let (head, tail) = rest.split_at(*bytes as usize);
                    values.push(bytemuck::cast_slice(head).to_vec());
                    rest = tail;
                }
            })?;
        }
        Ok(values)
    }

    /// Copies the pieces one behind another into staging memory, waits, and shows them.
    fn read_pieces(&self, pieces: &[(&Buffer, u64, u64)], show: impl FnOnce(&[u8])) -> Result<()> {
        let size = pieces.iter().map(|(_, _, bytes)| bytes).sum();
        let staging = self.staging(size)?;
        self.record(|encoder| {
            let mut at = 0;
            for (buffer, offset, bytes) in pieces {
                encoder.copy_buffer_to_buffer(&buffer.raw().buffer, *offset, &staging, at, Some(*bytes));
                at += bytes;
            }
        })?;
        self.flush()?;
        let (sender, receiver) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver outlives the wait below unless that fails, and then nobody listens.
            let _ = sender.send(result);
        });
        let failed = |source: ReadError| Error::Read { source };
        self.mapped(&receiver)?.map_err(|error| failed(error.into()))?;
        show(&staging.get_mapped_range(..).map_err(|error| failed(error.into()))?);
        staging.unmap();
        Ok(())
    }

    /// Waits for the answer to `map_async`. Another thread's poll may have taken the callback with it and be about to
    /// call it, so a poll that has returned does not mean that the answer is there.
    fn mapped(&self, answer: &Receiver<Mapped>) -> Result<Mapped> {
        loop {
            self.poll(None)?;
            match answer.recv_timeout(Duration::from_millis(10)) {
                Ok(mapped) => return Ok(mapped),
                Err(RecvTimeoutError::Timeout) => self.errors.check()?,
                // The callback is gone uncalled: the device went away.
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(wgpu::BufferAsyncError)),
            }
        }
    }

    fn staging(&self, size: u64) -> Result<wgpu::Buffer> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            Some(source) => Err(Error::OutOfMemory { bytes: size, source }),
            None => Ok(staging),
        }
    }

    /// Waits for a submission, or for everything.
    pub(super) fn poll(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        self.counters.waits.fetch_add(1, Relaxed);
        let waited = self.device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
        self.errors.check()?;
        waited.map_err(|error| Error::Read { source: error.into() }).map(|_| ())
    }

    /// Looks whether the tail behind a guarded buffer is as it was.
    fn check_guard(&self, buffer: &Buffer) -> Result<()> {
        let mut intact = true;
        self.read_pieces(&[(buffer, buffer.bytes(), GUARD_BYTES)], |bytes| {
            intact = bytemuck::cast_slice::<u8, u32>(bytes).iter().all(|word| *word == POISON);
        })?;
        if intact { Ok(()) } else { Err(Error::Read { source: ReadError::Guard }) }
    }
}
