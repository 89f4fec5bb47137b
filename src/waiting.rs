//! Waiting for a device: one implementation for calls that block their thread and for their asynchronous forms.

use std::future::{Future, poll_fn};
use std::task::Poll;

use crate::error::Result;

/// How the host waits for a device. It is what sets a call's asynchronous form apart from the blocking one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The thread sleeps in the driver, so that such a future is ready when it is first polled.
    Blocking,
    /// The task sleeps until a callback wakes it.
    Yielding,
}

/// A value that arrives from a device. It is a trait and not an asynchronous closure, since the compiler cannot show
/// that the futures of such closures are `Send`.
pub(crate) trait Arrive {
    /// The host type that receives the value.
    type Values;

    /// Waits for the value and puts it into `values`: a vector is appended to, any other value is replaced.
    fn arrive(self, waiting: Waiting, values: &mut Self::Values) -> impl Future<Output = Result<()>> + Send;
}

/// Runs a future that waits by [`Waiting::Blocking`] and returns its value.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

/// Gives way to the executor's other tasks once.
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

/// Defines a blocking function and its asynchronous twin from one body, which waits in the way that it is handed.
///
/// The documentation is the blocking function's; the twin's is a link to it. A method is written as
/// `pub fn read, read_async(&self) -> Result<f32> = |waiting| { self.read_by(waiting).await }`, a function outside of an
/// `impl` block with `free fn` in the place of `fn`.
macro_rules! blocking_and_async {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident, $twin:ident $(<$generic:ident: $bound:ident>)? ($($params:tt)*)
        -> $output:ty = |$waiting:ident| $body:block)+) => {$(
        $(#[$meta])*
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
