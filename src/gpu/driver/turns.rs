//! Turns: on OpenGL, the threads of a process call the driver one at a time.
//!
//! An OpenGL context serves one thread at a time. wgpu locks it for each call, and panics where another thread has had it for
//! some seconds. So every call that reaches the context, and may run at the same time as others, first waits for its turn, however
//! long that takes. A thread that waits for the device keeps the turn no longer than [`SLICE`], and no task is woken during a turn.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use parking_lot::{ReentrantMutex, ReentrantMutexGuard};
use web_time::Instant;

use super::callback::Quiet;

/// The longest that a wait for the device keeps its turn.
const SLICE: Duration = Duration::from_millis(100);

/// The number of consecutive waits that end before half of their time after which the wait for a device is given up.
const MOST_EARLY: u32 = 1000;

/// The beginning of wgpu's panic message about a failed poll.
const FATAL_POLL: &str = "Error in Device::poll";

/// The outcome of a poll.
pub(in crate::gpu) type Polled = Result<(), wgpu::PollError>;

/// The lock on the OpenGL context, which all devices of a wgpu instance share.
static CONTEXT: ReentrantMutex<()> = ReentrantMutex::new(());

/// Whether a device's calls take turns.
#[derive(Clone, Copy, Debug)]
pub(in crate::gpu) struct Turns {
    taken: bool,
}

/// A turn to call the driver; dropping it gives the turn to the next in line.
pub(in crate::gpu) struct Turn {
    guard: Option<ReentrantMutexGuard<'static, ()>>,
    _quiet: Option<Quiet>,
}

impl Turns {
    pub fn new(backend: wgpu::Backend) -> Self {
        Turns { taken: backend == wgpu::Backend::Gl }
    }

    /// Whether calls take turns.
    pub fn are_taken(self) -> bool {
        self.taken
    }

    /// Waits for the turn. A thread that already holds it gets it at once.
    pub fn take(self) -> Turn {
        let _quiet = self.taken.then(Quiet::begin);
        Turn { guard: self.taken.then(|| CONTEXT.lock()), _quiet }
    }

    /// Makes a wait of no length, in which drivers and layers set up what they need for waits.
    #[cfg(not(target_family = "wasm"))]
    pub fn make_first_wait(self, device: &wgpu::Device) {
        let _turn = self.take();
        let _ = polled(|| device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(Duration::ZERO) }));
    }

    /// Polls the device until this submission, or everything, is done, or until `useless` returns true.
    pub fn wait_for(
        self,
        device: &wgpu::Device,
        until: Option<&wgpu::SubmissionIndex>,
        useless: impl Fn() -> bool,
    ) -> Polled {
        let mut early = 0;
        loop {
            let start = Instant::now();
            let (submission_index, timeout) = (until.cloned(), self.taken.then_some(SLICE));
            let turn = self.take();
            let waited = polled(|| device.poll(wgpu::PollType::Wait { submission_index, timeout }));
            drop(turn);
            // Another wait would not help.
            let Some(waited) = waited else { return Err(wgpu::PollError::Timeout) };
            match waited {
                // A driver may end a wait early. A driver that fails every wait at once also reports that the time is over.
                Err(wgpu::PollError::Timeout) if !useless() && early < MOST_EARLY => {
                    let ended_early = start.elapsed() < SLICE / 2;
                    early = if ended_early { early + 1 } else { 0 };
                    if ended_early {
                        std::thread::sleep(SLICE / 100);
                    }
                }
                waited => return waited.map(|_| ()),
            }
        }
    }
}

/// The outcome of a poll; none if the device was lost in it. Then wgpu calls the callback for the loss and panics. That panic is
/// caught, since a loss is an error to return. Any other panic comes from a caller's callback or a waker, and continues.
pub(in crate::gpu) fn polled<T>(poll: impl FnOnce() -> T) -> Option<T> {
    // If a callback panics, wgpu drops the callbacks behind it. The crate's own callbacks run no foreign code but wakers, which
    // are called when all callbacks have returned.
    let _quiet = Quiet::begin();
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(outcome) => Some(outcome),
        Err(panic) if panic.downcast_ref::<String>().is_some_and(|message| message.starts_with(FATAL_POLL)) => None,
        Err(panic) => resume_unwind(panic),
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // The turn is passed on fairly. Otherwise a thread that waits in slices would take it again before another thread wakes up.
        if let Some(guard) = self.guard.take() {
            ReentrantMutexGuard::unlock_fair(guard);
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;
    use std::task::{Context as Task, Wake, Waker};

    use super::super::callback::answer;
    use super::*;

    struct Flag(Arc<AtomicBool>);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    #[test]
    fn of_the_panics_in_a_poll_only_that_over_a_lost_device_ends_there() {
        assert_eq!(polled(|| 7), Some(7));
        let cause = "Parent device is lost";
        assert_eq!(polled(|| -> u32 { panic!("{FATAL_POLL}: {cause}") }), None);
        assert!(catch_unwind(|| polled(|| panic!("of a waker"))).is_err());
    }

    #[test]
    fn wakers_are_called_after_the_callbacks_of_a_poll() {
        let (teller, mut waiting) = answer();
        let woken = Arc::new(AtomicBool::new(false));
        let waker = Waker::from(Arc::new(Flag(woken.clone())));
        assert!(Pin::new(&mut waiting).poll(&mut Task::from_waker(&waker)).is_pending());
        let during = polled(|| {
            teller.tell(7);
            woken.load(Relaxed)
        });
        assert_eq!((during, woken.load(Relaxed)), (Some(false), true));
    }
}
