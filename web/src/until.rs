//! Futures that end early.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Runs a future until it is ready. If `stop` returns true, drops the future and returns `None`.
pub async fn until<F: Future>(stop: impl Fn() -> bool, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|task| if stop() { Poll::Ready(None) } else { future.as_mut().poll(task).map(Some) }).await
}
