//! Waits for the device, as threads and as tasks.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use super::context::Context;
use super::driver::callback::{Answer, answer};
use super::driver::turns::Polled;
use super::encode::live::Live;
use crate::error::{Error, Result};
use crate::waiting::give_way;
#[cfg(target_family = "wasm")]
use crate::waiting::handle_events;

/// The answer to `map_async`.
pub(super) type Mapped = Result<(), wgpu::BufferAsyncError>;

impl Context {
    /// [`Context::wait`] without blocking the thread.
    pub async fn wait_async(&self) -> Result<()> {
        self.flush()?;
        let Some(live) = &self.live else { return Ok(()) };
        self.counters.waits.fetch_add(1, Relaxed);
        let (teller, answer) = answer();
        {
            let _turn = live.connection.turns.take();
            live.connection.queue.on_submitted_work_done(move || teller.tell(()));
        }
        let polled = live.connection.poller.ask(&live.connection.device, None);
        self.answered(answer, polled).await?;
        self.check()
    }

    /// Waits, if need be, until the device has done so much of the submitted work that the next recording need not wait for it.
    pub async fn room_async(&self) -> Result<()> {
        if let Some((number, done)) = self.oldest_done() {
            // Other tasks get a turn, even if the submit is done by now.
            give_way().await;
            done.await;
            // Only now: if this future is dropped before, no submit is forgotten.
            if let Some(live) = &self.live {
                live.recorder().in_flight.is_done(number);
            }
        }
        self.check()
    }

    /// The answer of a callback, which is called during a poll. If the poll fails, the callback may never be called: a lost device calls
    /// none.
    async fn answered<T>(&self, answer: Answer<T>, polled: Option<Answer<Polled>>) -> Result<Option<T>> {
        let failed = match polled {
            Some(polled) => polled.await.and_then(Polled::err),
            None => None,
        };
        match (failed, answer.now()) {
            (_, Poll::Ready(value)) => Ok(value),
            (None, Poll::Pending) => Ok(answer.await),
            (Some(error), Poll::Pending) => {
                self.check()?;
                Err(Error::Read { source: error.into() })
            }
        }
    }

    /// The number of the submit that must be done before more is recorded, and an answer that comes when it is; none if no wait is needed.
    fn oldest_done(&self) -> Option<(u64, Answer<Polled>)> {
        let live = self.live.as_ref()?;
        let oldest = live.recorder().in_flight.oldest()?;
        Some((oldest.0, live.connection.poller.after(&live.connection.device, oldest)))
    }

    /// Waits for the answer to `map_async`. Another thread's poll may have taken the callback with it and be about to
    /// call it, so a poll that has returned does not mean that the answer is there.
    pub(super) fn mapped(&self, answer: &Answer<Mapped>, submission: Option<wgpu::SubmissionIndex>) -> Result<Mapped> {
        loop {
            self.poll(submission.clone())?;
            match answer.within(Duration::from_millis(10)) {
                Poll::Ready(Some(mapped)) => return Ok(mapped),
                Poll::Pending => self.check()?,
                // The callback was dropped without a call, so the device is gone.
                Poll::Ready(None) => return Ok(Err(wgpu::BufferAsyncError)),
            }
        }
    }

    /// [`Context::mapped`] without blocking the thread.
    pub(super) async fn mapped_async(
        &self,
        answer: Answer<Mapped>,
        submission: Option<wgpu::SubmissionIndex>,
    ) -> Result<Mapped> {
        self.counters.waits.fetch_add(1, Relaxed);
        let ask = |live: &Arc<Live>| live.connection.poller.ask(&live.connection.device, submission);
        let mapped = self.answered(answer, self.live.as_ref().and_then(ask)).await?;
        // In browsers a lost device rejects the mapping before the loss itself is reported, which is another event.
        #[cfg(target_family = "wasm")]
        if !matches!(mapped, Some(Ok(()))) {
            handle_events().await;
        }
        self.check()?;
        Ok(mapped.unwrap_or(Err(wgpu::BufferAsyncError)))
    }
}
