//! Transfers: uploads through staging memory, and copies on the device.

use std::sync::Arc;

use super::buffer::Buffer;
use super::context::Context;
use super::encode::live::{Live, Recording};
use super::memory::copy::{Content, copy_up};
use super::memory::mark::Mark;
use super::memory::raw::ByteRange;
use super::memory::staging::{PIECE_BYTES, Way};
use crate::error::Result;
use crate::source::Wanted;
use crate::waiting::{Waiting, at_once};

/// The most bytes of an upload that shares a staging buffer with others.
pub(super) const SMALL_UPLOAD: usize = 1 << 18;

impl Context {
    /// Overwrites a buffer from its start, after everything that is recorded so far.
    pub fn write<T: bytemuck::NoUninit>(&self, buffer: &Buffer, values: &[T]) -> Result<()> {
        at_once(self.write_by(Waiting::Blocking, buffer, values))
    }

    /// Overwrites a buffer as [`Context::write`] does, but waits while too many uploads are in flight.
    pub async fn write_by<T: bytemuck::NoUninit>(&self, waiting: Waiting, buffer: &Buffer, values: &[T]) -> Result<()> {
        self.write_from(waiting, buffer, Content::Bytes(bytemuck::cast_slice(values))).await
    }

    /// The longest row that [`Context::write_rows`] takes: a piece holds two.
    pub const MOST_GATHERED: usize = PIECE_BYTES / (2 * size_of::<f32>());

    /// Fills a buffer with rows of a source, which are read directly into staging memory.
    pub async fn write_rows(&self, waiting: Waiting, buffer: &Buffer, wanted: Wanted<'_>) -> Result<()> {
        self.write_from(waiting, buffer, Content::Rows(wanted)).await
    }

    async fn write_from(&self, waiting: Waiting, buffer: &Buffer, source: Content<'_>) -> Result<()> {
        self.check_device()?;
        let Some(live) = &self.live else { return Ok(()) };
        self.begin_write(buffer);
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

    /// Clears the mark of a buffer whose earlier content was lost, since all of its content is about to be written.
    pub(super) fn begin_write(&self, buffer: &Buffer) {
        if buffer.whole().is_none() && buffer.is_own() {
            buffer.raw().mark.clear();
        }
    }

    /// Copies a buffer's content to another as large, on the device.
    pub fn copy_all(&self, source: &Buffer, target: &Buffer) -> Result<()> {
        self.copy(source.range(), target.range())
    }

    /// Copies a piece of an upload to staging memory, and records the copy from there to where it belongs.
    fn upload_piece(&self, live: &Live, target: ByteRange<'_>, piece: Content<'_>) -> Result<()> {
        let read;
        let piece = match piece {
            // Small pieces are copied under the recorder's lock, so the rows of a source, which may be slow, are read before that.
            Content::Rows(wanted) if piece.bytes() <= SMALL_UPLOAD && !piece.is_plain() => {
                read = wanted.read_all()?;
                Content::Bytes(bytemuck::cast_slice(&read))
            }
            piece => piece,
        };
        let recorder = match piece.bytes() <= SMALL_UPLOAD {
            true => self.share_staging(live, target, piece)?,
            // A long piece gets a staging buffer of its own.
            false => self.send_filled(live, target, self.filled(live, piece, piece.threads())?),
        };
        self.send_much(live, recorder);
        Ok(())
    }

    /// Submits the recorded commands if they upload much or are many, and waits while the host is too far ahead of the device.
    pub(super) fn send_much(&self, live: &Live, mut recorder: Recording<'_>) {
        if recorder.is_long() {
            recorder.submit(&live.connection, &self.counters);
        }
        drop(recorder);
        live.catch_up();
    }

    /// Copies a short piece behind others in a staging buffer that they share.
    fn share_staging<'a>(&self, live: &'a Live, target: ByteRange<'_>, piece: Content<'_>) -> Result<Recording<'a>> {
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
        copy_up(&staging, at, piece, piece.threads())?;
        recorder.copy_upload(&live.connection.device, (&staging, at), target);
        Ok(recorder)
    }

    /// A staging buffer, filled by so many threads. Other threads can record meanwhile: this takes as long as up to a hundred
    /// launches.
    pub(super) fn filled(&self, live: &Live, piece: Content<'_>, threads: usize) -> Result<wgpu::Buffer> {
        let bytes = piece.bytes() as u64;
        let taken = live.recorder().staging.take(bytes);
        let buffer = match taken {
            Some(buffer) => buffer,
            None => self.new_staging(live, bytes)?,
        };
        let filled = copy_up(&buffer, 0, piece, threads);
        if filled.is_err() {
            live.recorder().staging.put(buffer.clone());
        }
        filled.map(|()| buffer)
    }

    /// Records the copy from a filled staging buffer to where its content belongs.
    pub(super) fn send_filled<'a>(
        &self,
        live: &'a Live,
        target: ByteRange<'_>,
        staging: wgpu::Buffer,
    ) -> Recording<'a> {
        let mut recorder = live.recorder();
        staging.unmap();
        recorder.copy_upload(&live.connection.device, (&staging, 0), target);
        recorder.staging.fill(staging);
        recorder
    }

    fn new_staging(&self, live: &Live, bytes: u64) -> Result<wgpu::Buffer> {
        let size = live.recorder().staging.size(bytes);
        self.with_room(|| Way::Up.new_buffer(&live.connection, size))
    }

    /// Records a copy between two buffers.
    pub(in crate::gpu) fn copy(&self, source: ByteRange<'_>, target: ByteRange<'_>) -> Result<()> {
        let (Some(from), Some(to)) = (source.raw.wgpu(), target.raw.wgpu()) else { return Ok(()) };
        let outcome = self.record(&[source], &target.raw.mark, |encoder| {
            encoder.copy_buffer_to_buffer(from, source.offset, to, target.offset, Some(source.bytes));
        });
        self.or_lost(outcome)
    }

    /// Records commands outside the compute pass. They read the buffers `reads` and write the buffer with this mark.
    pub(in crate::gpu) fn record(
        &self,
        read: &[ByteRange<'_>],
        written: &Arc<Mark>,
        commands: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let Some(live) = &self.live else { return Ok(()) };
        let mut recorder = live.recorder();
        recorder.record(&live.connection.device, read, written, commands)?;
        if recorder.is_long() {
            self.send_much(live, recorder);
        }
        Ok(())
    }
}
