//! Staged rows: worker threads read them into staging memory ahead of time, and the thread that records the upload takes them from
//! there.

use super::buffer::Buffer;
use super::context::Context;
#[cfg(not(target_family = "wasm"))]
use super::driver::turns::polled;
use super::memory::copy::Content;
use super::memory::raw::ByteRange;
use super::memory::staging::PIECE_BYTES;
use super::transfers::SMALL_UPLOAD;
use crate::error::Result;
use crate::source::Wanted;

/// Rows in staging memory that are still to be copied to a buffer. If they are dropped before that, the memory serves other uploads.
pub struct Staged {
    context: Context,
    staging: Option<wgpu::Buffer>,
    bytes: u64,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let (Some(live), Some(staging)) = (&self.context.live, self.staging.take()) {
            live.recorder().staging.put(staging);
        }
    }
}

impl Context {
    /// Whether the device has done everything that was submitted. Work that is only recorded does not count.
    pub fn is_idle(&self) -> bool {
        let Some(live) = &self.live else { return true };
        #[cfg(target_family = "wasm")]
        return live.recorder().is_idle(&live.connection);
        #[cfg(not(target_family = "wasm"))]
        {
            let _turn = live.connection.turns.take();
            let status = polled(|| live.connection.device.poll(wgpu::PollType::Poll));
            status.is_some_and(|status| status.is_ok_and(|status| status.is_queue_empty()))
        }
    }

    /// The most rows that are staged together: an even number of rows, in at most one piece of an upload (but at least two rows).
    pub fn staged_rows(cols: usize) -> usize {
        (PIECE_BYTES / size_of::<f32>().saturating_mul(cols).max(1)).max(2) / 2 * 2
    }

    /// Whether a batch of so many values is worth staging. A smaller one is copied faster when it is needed.
    pub fn stages(values: usize) -> bool {
        values > SMALL_UPLOAD / size_of::<f32>()
    }

    /// Reads rows into staging memory. Any thread may call this. There must be no more rows than [`Context::staged_rows`].
    pub fn stage(&self, wanted: Wanted<'_>) -> Result<Staged> {
        let content = Content::Rows(wanted);
        let staging = match &self.live {
            Some(live) => Some(self.or_lost(self.filled(live, content, 1))?),
            None => None,
        };
        Ok(Staged { context: self.clone(), staging, bytes: content.bytes() as u64 })
    }

    /// Fills a buffer with staged rows, piece by piece. Returns the number of bytes.
    pub fn write_staged(&self, buffer: &Buffer, pieces: impl Iterator<Item = Result<Staged>>) -> Result<u64> {
        self.check_device()?;
        self.begin_write(buffer);
        let mut offset = buffer.offset();
        for piece in pieces {
            let mut piece = piece?;
            let target = ByteRange { raw: buffer.raw(), offset, bytes: piece.bytes };
            offset += piece.bytes;
            if let (Some(live), Some(staging)) = (&self.live, piece.staging.take()) {
                self.send_much(live, self.send_filled(live, target, staging));
            }
        }
        self.check().map(|()| offset - buffer.offset())
    }
}
