//! Guards: on devices with guarded buffers, reads check that nothing was written behind the ends of buffers.

use super::buffer::{Buffer, GUARD_BYTES};
use super::context::Context;
use super::memory::pool::Unchecked;
use super::memory::raw::ByteRange;
use crate::error::{Error, ReadError, Result};
use crate::waiting::Waiting;

impl Context {
    /// Checks the guards of these buffers, which have been read, and of all that were dropped since the last check. Among the
    /// latter are those that only kernels use, such as partial sums. Without guarded buffers this does nothing.
    pub(super) async fn check_guards(&self, waiting: Waiting, read: &[&Buffer]) -> Result<()> {
        if !self.options.debug.guarded_buffers {
            return Ok(());
        }
        let dropped = self.dropped();
        let read = read.iter().filter_map(|buffer| Some((*buffer, buffer.guard?)));
        let all = read.chain(dropped.iter().map(|(buffer, op)| (buffer, *op)));
        // A buffer that could not be made, or whose recording was rejected, has no guard. Reading it would be an error.
        let guarded: Vec<_> =
            all.filter(|(buffer, _)| buffer.check_written().is_ok() && !buffer.raw().mark.is_broken()).collect();
        if guarded.is_empty() {
            return Ok(());
        }
        let mut guards = Vec::with_capacity(guarded.len());
        for (buffer, _) in &guarded {
            guards.push(ByteRange { raw: buffer.raw(), offset: buffer.bytes(), bytes: GUARD_BYTES });
        }
        let (mut next, mut overwritten) = (guarded.iter(), None);
        let look = |words: &[u32]| {
            if let Some((buffer, op)) = next.next()
                && words.iter().any(|word| *word != buffer.raw().poison())
            {
                overwritten.get_or_insert(*op);
            }
        };
        self.start_read::<u32>(&guards)?.arrive(waiting, look).await?;
        overwritten.map_or(Ok(()), |op| Err(Error::Read { source: ReadError::Guard { op } }))
    }

    /// The guarded buffers that were dropped since the last call, each with what it was made for. When they are dropped again,
    /// they return to the pool.
    fn dropped(&self) -> Vec<(Buffer, &'static str)> {
        let unchecked = self.pool().take_unchecked();
        let buffer = |Unchecked { raw, bytes, op }: Unchecked| {
            let owner = self.clone();
            (Buffer { raw, offset: 0, bytes, whole: None, pooled: true, guard: None, owner }, op)
        };
        unchecked.into_iter().map(buffer).collect()
    }
}
