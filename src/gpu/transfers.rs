//! Transfers: uploads through staging memory, and copies on the device.

use std::sync::Arc;

use super::buffer::Buffer;
use super::context::Context;
use super::encode::live::{Live, Recording};
use super::memory::copy::{Source, copy_up};
use super::memory::mark::Mark;
use super::memory::raw::ByteRange;
use super::memory::staging::{PIECE_BYTES, Uploads, Way};
use crate::error::Result;
use crate::waiting::{Waiting, at_once};

/// Uploads up to this length share a staging buffer.
const SMALL_UPLOAD: usize = 1 << 18;

impl Context {
    /// Overwrites a buffer from its start, behind everything that is recorded so far.
    pub fn write<T: bytemuck::NoUninit>(&self, buffer: &Buffer, values: &[T]) -> Result<()> {
        at_once(self.write_by(Waiting::Blocking, buffer, values))
    }

    /// [`Context::write`], which may wait while more is on its way than should be.
    pub async fn write_by<T: bytemuck::NoUninit>(&self, waiting: Waiting, buffer: &Buffer, values: &[T]) -> Result<()> {
        self.write_from(waiting, buffer, Source::Bytes(bytemuck::cast_slice(values))).await
    }

    /// The longest row that [`Context::write_rows`] takes: a piece holds two.
    pub const MOST_GATHERED: usize = PIECE_BYTES / (2 * size_of::<f32>());

    /// Fills a buffer with these rows of an array whose rows are so long: gathered on the way, by several threads.
    pub async fn write_rows(
        &self,
        waiting: Waiting,
        buffer: &Buffer,
        (values, cols): (&[f32], usize),
        rows: &[usize],
    ) -> Result<()> {
        self.write_from(waiting, buffer, Source::Rows { values, cols, rows }).await
    }

    async fn write_from(&self, waiting: Waiting, buffer: &Buffer, source: Source<'_>) -> Result<()> {
        self.check_device()?;
        let Some(live) = &self.live else { return Ok(()) };
        if buffer.whole().is_none() && buffer.is_own() {
            buffer.raw().mark.clear();
        }
        let mut offset = buffer.offset();
        for piece in source.pieces(PIECE_BYTES) {
            if waiting == Waiting::Yielding {
                self.room_async().await?;
            }
            let bytes = piece.bytes() as u64;
            self.or_lost(self.upload_piece(live, ByteRange { raw: buffer.raw(), offset, bytes }, piece))?;
            offset += bytes;
        }
        self.check()
    }

    /// Copies a buffer's content to another as large, on the device.
    pub fn copy_all(&self, source: &Buffer, target: &Buffer) -> Result<()> {
        self.copy(source.range(), target.range())
    }

    /// Copies a piece of an upload to staging memory, and records the copy from there to where it belongs.
    fn upload_piece(&self, live: &Live, target: ByteRange<'_>, piece: Source<'_>) -> Result<()> {
        let mut recorder = match piece.bytes() <= SMALL_UPLOAD {
            true => self.share_staging(live, target, piece)?,
            false => self.fill_staging(live, target, piece)?,
        };
        if recorder.has_much_to_upload() {
            recorder.submit(&live.connection, &self.counters);
        }
        drop(recorder);
        live.catch_up();
        Ok(())
    }

    /// Copies a short piece behind others in a staging buffer that they share.
    fn share_staging<'a>(&self, live: &'a Live, target: ByteRange<'_>, piece: Source<'_>) -> Result<Recording<'a>> {
        let bytes = target.bytes;
        let (mut recorder, staging, at) = loop {
            let mut recorder = live.recorder();
            if let Some((staging, at)) = recorder.staging.room(bytes) {
                break (recorder, staging, at);
            }
            drop(recorder);
            let staging = self.new_staging(live, bytes)?;
            live.recorder().staging.put(staging);
        };
        copy_up(&staging, at, piece)?;
        recorder.copy_upload(&live.connection.device, (&staging, at), target);
        Ok(recorder)
    }

    /// Copies a long piece to a staging buffer of its own.
    fn fill_staging<'a>(&self, live: &'a Live, target: ByteRange<'_>, piece: Source<'_>) -> Result<Recording<'a>> {
        let taken = live.recorder().staging.take(target.bytes);
        let staging = match taken {
            Some(staging) => staging,
            None => self.new_staging(live, target.bytes)?,
        };
        // Others record meanwhile: this takes as long as a launch or a hundred.
        copy_up(&staging, 0, piece)?;
        let mut recorder = live.recorder();
        staging.unmap();
        recorder.copy_upload(&live.connection.device, (&staging, 0), target);
        recorder.staging.fill(staging);
        Ok(recorder)
    }

    fn new_staging(&self, live: &Live, bytes: u64) -> Result<wgpu::Buffer> {
        self.with_room(|| Way::Up.new_buffer(&live.connection, Uploads::size(bytes)))
    }

    /// Records a copy between two buffers.
    pub(in crate::gpu) fn copy(&self, source: ByteRange<'_>, target: ByteRange<'_>) -> Result<()> {
        let (Some(from), Some(to)) = (source.raw.wgpu(), target.raw.wgpu()) else { return Ok(()) };
        let outcome = self.record(&[source], &target.raw.mark, |encoder| {
            encoder.copy_buffer_to_buffer(from, source.offset, to, target.offset, Some(source.bytes));
        });
        self.or_lost(outcome)
    }

    /// Records commands outside the compute pass, which read these and write what has the mark.
    pub(in crate::gpu) fn record(
        &self,
        read: &[ByteRange<'_>],
        written: &Arc<Mark>,
        commands: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let Some(live) = &self.live else { return Ok(()) };
        live.recorder().record(&live.connection.device, read, written, commands)
    }
}
