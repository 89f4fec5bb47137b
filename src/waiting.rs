//! Waiting: one implementation for calls that block their thread and for those that may not.

use std::future::{Future, poll_fn};
use std::task::Poll;

use crate::error::Result;

/// How the host waits for a device: what sets a call's async form apart from the blocking one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The thread sleeps in the driver: such a future is ready when it is first polled.
    Blocking,
    /// The task sleeps, until a callback wakes it.
    Yielding,
}

/// What is on its way from a device. A trait and no async closure, whose futures no compiler finds to be `Send`.
pub(crate) trait Arrive {
    /// What it is on the host.
    type Values;

    /// Waits for it, and puts it there: behind what a vector holds, in the place of other values.
    fn arrive(self, waiting: Waiting, values: &mut Self::Values) -> impl Future<Output = Result<()>> + Send;
}

/// What a future gives that waits by [`Waiting::Blocking`].
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

/// Lets the executor's other tasks run once.
pub(crate) async fn give_way() {
    let mut gave = false;
    poll_fn(|task| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
