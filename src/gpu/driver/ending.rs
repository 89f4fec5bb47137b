//! The end of the process: while the libraries of drivers destroy what they hold, no thread of the crate's is in a driver.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest that the end of the process waits for a driver.
const LONGEST: Duration = Duration::from_secs(10);

/// The calls into drivers by threads that nobody waits for when `main` returns.
struct Calls {
    /// So many are on their way.
    inside: usize,
    /// Whether the process ends, so that none may begin.
    ended: bool,
}

static CALLS: Mutex<Calls> = Mutex::new(Calls { inside: 0, ended: false });
static ONE_LESS: Condvar = Condvar::new();

thread_local! {
    /// Whether this thread is in such a call: then it may be who ends the process.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

/// Makes a call that may be in the driver when `main` returns; it does not return once the process ends.
pub(in crate::gpu) fn in_driver<T>(call: impl FnOnce() -> T) -> T {
    let _inside = Inside::enter();
    call()
}

struct Inside;

impl Inside {
    fn enter() -> Self {
        let mut calls = lock();
        while calls.ended {
            calls = ONE_LESS.wait(calls).unwrap_or_else(PoisonError::into_inner);
        }
        calls.inside += 1;
        INSIDE.set(INSIDE.get() + 1);
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        lock().inside -= 1;
        INSIDE.set(INSIDE.get() - 1);
        ONE_LESS.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Calls> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the process wait for such calls before it ends. What was registered last is called first, so this comes before the end of
/// all that drivers have made by now.
#[cfg(any(unix, windows))]
pub(in crate::gpu) fn watch() {
    #[allow(unsafe_code, reason = "the C standard's own function, which Rust's library does not have")]
    unsafe extern "C" {
        safe fn atexit(handler: extern "C" fn()) -> std::ffi::c_int;
    }
    // Refused only where there is no memory left; then the process ends as if nobody had asked.
    let _ = atexit(wait_for_calls);
}

#[cfg(not(any(unix, windows)))]
pub(in crate::gpu) fn watch() {}

extern "C" fn wait_for_calls() {
    let own = INSIDE.try_with(Cell::get).unwrap_or(0);
    let mut calls = lock();
    calls.ended = true;
    let others = |calls: &mut Calls| calls.inside > own;
    // A driver that takes longer hangs, and the process ends without it.
    drop(ONE_LESS.wait_timeout_while(calls, LONGEST, others));
}
