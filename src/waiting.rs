//! Waiting for a device: one implementation for calls that block their thread and for their asynchronous forms.

use std::future::{Future, poll_fn};
use std::task::Poll;

use crate::error::Result;

/// The way in which the host waits for a device. It is the only difference between a call's blocking and asynchronous forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The thread sleeps in the driver, so the future is ready when it is first polled.
    Blocking,
    /// The task sleeps until a callback wakes it.
    Yielding,
}

/// A value that arrives from a device. This is a trait and not an asynchronous closure, since the compiler cannot prove that the
/// futures of such closures are `Send`.
pub(crate) trait Arrive {
    /// The host type that receives the value.
    type Values;

    /// Waits for the value and puts it into `values`. A vector is appended to; any other value is replaced.
    fn arrive(self, waiting: Waiting, values: &mut Self::Values) -> impl Future<Output = Result<()>> + Send;
}

/// Runs a future that waits by [`Waiting::Blocking`], and returns its value.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

/// Lets the executor's other tasks run once. In browsers it also lets the page's events run from time to time.
pub(crate) async fn give_way() {
    #[cfg(target_family = "wasm")]
    if events::are_due() {
        return events::give_way().await;
    }
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

/// Lets the page handle the events that are waiting now, however recently it has done so.
#[cfg(target_family = "wasm")]
pub(crate) async fn handle_events() {
    events::give_way().await;
}

/// The event loop of a page or a worker. A task that is always woken at once would keep the loop from handling input and drawing.
#[cfg(target_family = "wasm")]
mod events {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::task::{Poll, Waker};
    use std::time::Duration;

    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_time::Instant;

    /// The longest time that events wait: half of the time between two frames of most displays.
    const LONGEST: Duration = Duration::from_millis(8);

    thread_local! {
        /// The time at which events were last handled.
        static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    /// Whether events have waited for the longest time.
    pub fn are_due() -> bool {
        LAST.get().is_none_or(|last| last.elapsed() >= LONGEST)
    }

    /// The state of a task that waits until the current events have been handled.
    #[derive(Default)]
    struct Turn {
        came: AtomicBool,
        task: Mutex<Option<Waker>>,
    }

    /// Waits until all events that are waiting now have been handled. It sends itself a message, since browsers delay timers but
    /// not messages.
    pub async fn give_way() {
        let turn = Arc::<Turn>::default();
        let told = turn.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let Ok(channel) = web_sys::MessageChannel::new() else { return told.come() };
            let (sender, receiver) = (channel.port1(), channel.port2());
            let closed = receiver.clone();
            let come = Closure::once_into_js(move || {
                closed.close();
                told.come();
            });
            receiver.set_onmessage(Some(come.unchecked_ref()));
            // Sending fails only for messages that cannot be copied.
            let _ = sender.post_message(&wasm_bindgen::JsValue::NULL);
        });
        poll_fn(|task| {
            if turn.came.load(Relaxed) {
                return Poll::Ready(());
            }
            *turn.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.waker().clone());
            Poll::Pending
        })
        .await;
        LAST.set(Some(Instant::now()));
    }

    impl Turn {
        fn come(&self) {
            self.came.store(true, Relaxed);
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
            task.into_iter().for_each(Waker::wake);
        }
    }
}

/// Defines a blocking function and its asynchronous form from one body. The body waits in the way that it is given.
///
/// The documentation is that of the blocking function; the asynchronous form has a link to it. A method is written as
/// `pub fn read, read_async(&self) -> Result<f32> = |waiting| { self.read_by(waiting).await }`. A function outside of an `impl`
/// block is written with `free fn` instead of `fn`.
macro_rules! blocking_and_async {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident, $twin:ident $(<$generic:ident: $bound:ident>)? ($($params:tt)*)
        -> $output:ty = |$waiting:ident| $body:block)+) => {$(
        $(#[$meta])*
        #[cfg(not(target_family = "wasm"))]
        $vis fn $name $(<$generic: $bound>)? ($($params)*) -> $output {
            let $waiting = $crate::waiting::Waiting::Blocking;
            $crate::waiting::at_once::<$output>(async move { $body })
        }

        #[doc = concat!("[`Self::", stringify!($name), "`] without blocking the thread.")]
        $vis async fn $twin $(<$generic: $bound>)? ($($params)*) -> $output {
            let $waiting = $crate::waiting::Waiting::Yielding;
            $body
        }
    )+};
    ($($(#[$meta:meta])* $vis:vis free fn $name:ident, $twin:ident $(<$generic:ident: $bound:ident>)? ($($params:tt)*)
        -> $output:ty = |$waiting:ident| $body:block)+) => {$(
        $(#[$meta])*
        #[cfg(not(target_family = "wasm"))]
        $vis fn $name $(<$generic: $bound>)? ($($params)*) -> $output {
            let $waiting = $crate::waiting::Waiting::Blocking;
            $crate::waiting::at_once::<$output>(async move { $body })
        }

        #[doc = concat!("[`", stringify!($name), "`] without blocking the thread.")]
        $vis async fn $twin $(<$generic: $bound>)? ($($params)*) -> $output {
            let $waiting = $crate::waiting::Waiting::Yielding;
            $body
        }
    )+};
}
pub(crate) use blocking_and_async;
