//! The end of the process. Drivers' libraries then destroy their objects, and no thread of this crate may be inside a driver.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest that the end of the process waits for a driver.
const LONGEST: Duration = Duration::from_secs(10);

/// The calls into drivers by threads that may still run when `main` returns.
struct Calls {
    /// The number of calls that have not returned.
    inside: usize,
    /// Whether the process is ending, so that no call may begin.
    ended: bool,
}

static CALLS: Mutex<Calls> = Mutex::new(Calls { inside: 0, ended: false });
static ONE_LESS: Condvar = Condvar::new();

thread_local! {
    /// The number of such calls that this thread is in. The thread that ends the process may be in one itself.
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

/// Registers a handler that lets the process wait for such calls before it ends. Handlers are called in reverse order, so this one
/// runs before the handlers that drivers have registered until now.
#[cfg(any(unix, windows))]
pub(in crate::gpu) fn watch() {
    #[allow(unsafe_code, reason = "the C standard's own function, which Rust's library does not have")]
    unsafe extern "C" {
        safe fn atexit(handler: extern "C" fn()) -> std::ffi::c_int;
    }
    // The call fails only if there is no memory left. Then the process ends without the wait.
    let _ = atexit(wait_for_calls);
}

#[cfg(not(any(unix, windows)))]
pub(in crate::gpu) fn watch() {}

extern "C" fn wait_for_calls() {
    let own = INSIDE.try_with(Cell::get).unwrap_or(0);
    end(lock(), &ONE_LESS, own, LONGEST);
}

/// Lets no call begin any more, and waits until no more than `own` calls have not returned.
fn end(mut calls: MutexGuard<'_, Calls>, one_less: &Condvar, own: usize, longest: Duration) {
    // Each poll thread has registered a handler. The first that is called waits for all calls: if a driver hangs, the others would
    // add to that wait.
    if std::mem::replace(&mut calls.ended, true) {
        return;
    }
    let others = |calls: &mut Calls| calls.inside > own;
    // A driver that takes longer is taken to hang, and the process ends without waiting for it.
    drop(one_less.wait_timeout_while(calls, longest, others));
}

#[cfg(test)]
mod tests {
    use web_time::Instant;

    use super::*;

    #[test]
    fn the_end_waits_for_calls_but_only_once_for_one_that_hangs() {
        let (short, long) = (Duration::from_millis(50), Duration::from_secs(60));
        let took = |calls: &Mutex<Calls>, own, longest| {
            let start = Instant::now();
            end(calls.lock().unwrap_or_else(PoisonError::into_inner), &Condvar::new(), own, longest);
            start.elapsed()
        };
        let hangs = Mutex::new(Calls { inside: 2, ended: false });
        assert!(took(&hangs, 1, short) >= short);
        let again = took(&hangs, 1, long);
        assert!(again < long / 2, "{again:?} more");
        // The thread that ends the process does not wait for itself.
        let alone = took(&Mutex::new(Calls { inside: 1, ended: false }), 1, long);
        assert!(alone < long / 2, "{alone:?} without another call");
    }
}
