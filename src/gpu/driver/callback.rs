//! Answers of callbacks. A thread can block until the callback has been called, and a task can await it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

thread_local! {
    /// The number of [`Quiet`] values that this thread holds.
    static QUIET: Cell<u32> = const { Cell::new(0) };
    /// The wakers to call once this thread holds none.
    static LATER: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// A guard: while it lives, its thread calls no wakers. A waker may run or drop a task at once, while this thread still holds locks.
pub(in crate::gpu) struct Quiet(PhantomData<*const ()>);

impl Quiet {
    pub fn begin() -> Self {
        QUIET.set(QUIET.get() + 1);
        Quiet(PhantomData)
    }

    /// Whether this thread holds such a guard, and so perhaps the locks for which there is one.
    pub fn is_held() -> bool {
        QUIET.get() > 0
    }
}

impl Drop for Quiet {
    /// Calls the wakers, all of them even if one panics: a task whose waker is lost would wait for ever. The first panic continues
    /// afterwards.
    fn drop(&mut self) {
        QUIET.set(QUIET.get() - 1);
        if QUIET.get() > 0 {
            return;
        }
        let woken = LATER.try_with(RefCell::take).unwrap_or_default();
        let called = woken.into_iter().map(|waker| catch_unwind(AssertUnwindSafe(|| waker.wake())));
        let first = called.filter_map(Result::err).reduce(|first, _| first);
        // A thread that is panicking already would end the process.
        if let Some(panic) = first.filter(|_| !std::thread::panicking()) {
            resume_unwind(panic);
        }
    }
}

/// Wakes the task now, or once this thread is no longer quiet.
fn wake(waker: Waker) {
    if QUIET.get() == 0 {
        return waker.wake();
    }
    // A thread that is ending has no list any more, but it holds no `Quiet` either.
    let _ = LATER.try_with(|later| later.borrow_mut().push(waker));
}

/// The state of an answer. It becomes `None` when it is certain that no value will come.
#[derive(Debug)]
enum State<T> {
    Open(Option<Waker>),
    Told(Option<T>),
}

#[derive(Debug)]
struct Slot<T> {
    state: Mutex<State<T>>,
    told: Condvar,
}

impl<T> Slot<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer, on the side that waits. As a future it is ready only if the device is polled.
#[derive(Debug)]
pub(in crate::gpu) struct Answer<T>(Arc<Slot<T>>);

/// The sender of an answer, which the callback owns. If it is dropped without a value, the answer is that no value comes.
pub(in crate::gpu) struct Teller<T>(Arc<Slot<T>>);

/// An answer and its teller.
pub(in crate::gpu) fn answer<T>() -> (Teller<T>, Answer<T>) {
    let slot = Arc::new(Slot { state: Mutex::new(State::Open(None)), told: Condvar::new() });
    (Teller(slot.clone()), Answer(slot))
}

impl<T> Teller<T> {
    pub fn tell(self, value: T) {
        self.close(Some(value));
    }

    fn close(&self, value: Option<T>) {
        let mut state = self.0.state();
        if let State::Open(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Told(value);
            drop(state);
            self.0.told.notify_all();
            waker.into_iter().for_each(wake);
        }
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        self.close(None);
    }
}

impl<T> Answer<T> {
    /// Whether there is an answer by now, and its value if one came. This needs no clock, which wasm32 does not have.
    pub fn now(&self) -> Poll<Option<T>> {
        match &mut *self.0.state() {
            State::Open(_) => Poll::Pending,
            State::Told(value) => Poll::Ready(value.take()),
        }
    }

    /// Waits at most this long. Returns whether there is an answer, and its value if one came.
    pub fn within(&self, time: Duration) -> Poll<Option<T>> {
        let open = |state: &mut State<T>| matches!(state, State::Open(_));
        let waited = self.0.told.wait_timeout_while(self.0.state(), time, open);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Open(_) => Poll::Pending,
            State::Told(value) => Poll::Ready(value.take()),
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<T>> {
        let waker = task.waker().clone();
        let mut state = self.0.state();
        let earlier = match &mut *state {
            State::Open(earlier) => earlier.replace(waker),
            State::Told(value) => return Poll::Ready(value.take()),
        };
        // Dropping the waker may drop a task with everything that it owns.
        drop(state);
        drop(earlier);
        Poll::Pending
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;
    use std::task::Wake;

    use super::*;

    struct Counted(AtomicU32);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("this waker always panics");
        }
    }

    #[test]
    fn an_answer_comes_to_those_who_wait_and_to_those_who_are_woken() {
        let (teller, waiting) = answer();
        assert_eq!(waiting.within(Duration::ZERO), Poll::Pending);
        teller.tell(7);
        assert_eq!(waiting.within(Duration::ZERO), Poll::Ready(Some(7)));
        let (teller, woken) = answer();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            teller.tell(8);
        });
        assert_eq!(pollster::block_on(woken), Some(8));
        assert!(thread.join().is_ok());
        let (teller, none) = answer::<()>();
        drop(teller);
        assert_eq!(pollster::block_on(none), None);
    }

    #[test]
    fn a_quiet_thread_wakes_nobody_until_it_no_longer_is() {
        let woken = Arc::new(Counted(AtomicU32::new(0)));
        let (teller, mut waiting) = answer();
        let waker = woken.clone().into();
        assert!(Pin::new(&mut waiting).poll(&mut Task::from_waker(&waker)).is_pending());
        let (outer, inner) = (Quiet::begin(), Quiet::begin());
        teller.tell(7);
        drop(inner);
        assert_eq!(woken.0.load(Relaxed), 0);
        drop(outer);
        assert_eq!(woken.0.load(Relaxed), 1);
        assert_eq!(waiting.within(Duration::ZERO), Poll::Ready(Some(7)));
    }

    #[test]
    fn a_waker_that_panics_keeps_no_other_from_being_called() {
        let woken = Arc::new(Counted(AtomicU32::new(0)));
        let wakers: [Waker; 3] = [Arc::new(Panics).into(), woken.clone().into(), woken.clone().into()];
        assert!(!Quiet::is_held());
        let quiet = Quiet::begin();
        assert!(Quiet::is_held());
        for waker in wakers {
            let (teller, mut waiting) = answer();
            assert!(Pin::new(&mut waiting).poll(&mut Task::from_waker(&waker)).is_pending());
            teller.tell(7);
        }
        assert_eq!(woken.0.load(Relaxed), 0);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(quiet))).is_err(), "the panic is not hidden");
        assert_eq!(woken.0.load(Relaxed), 2);
    }
}
