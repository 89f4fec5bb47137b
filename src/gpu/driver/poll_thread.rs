//! The poll thread: it polls the device while futures wait, so that their callbacks run.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use super::callback::{Answer, Quiet, Teller, answer};
use super::ending::{in_driver, watch};
use super::turns::{Polled, Turns};

thread_local! {
    /// Whether this thread is a poll thread.
    static POLLS: Cell<bool> = const { Cell::new(false) };
}

/// A request to the poll thread: to poll until a submission, or everything, is done, and then to send the answer.
struct Wish {
    until: Option<wgpu::SubmissionIndex>,
    done: Teller<Polled>,
}

/// The poll thread of a device, started at the first wait. It ends with the device: dropping the last handle waits for its end.
pub(in crate::gpu) struct PollThread {
    /// The thread, once it has been started; `None` if the system gives none.
    thread: OnceLock<Option<Thread>>,
    /// The turns of calls. Where calls take turns (on OpenGL), there is no poll thread, and the caller polls.
    turns: Turns,
}

struct Thread {
    wishes: Mutex<Sender<Wish>>,
    handle: JoinHandle<()>,
    /// Whether no other thread waits for the thread's end.
    is_left: Arc<AtomicBool>,
}

impl PollThread {
    pub fn new(turns: Turns) -> Self {
        PollThread { thread: OnceLock::new(), turns }
    }

    /// Asks for the device to be polled until this submission, or everything, is done. The answer is the outcome, which comes
    /// after the callbacks of what is done.
    pub fn ask(&self, device: &wgpu::Device, until: Option<wgpu::SubmissionIndex>) -> Option<Answer<Polled>> {
        Some(self.wish(device, until))
    }

    /// An answer when the submit with this number and index is done.
    pub fn after(&self, device: &wgpu::Device, (_number, index): (u64, wgpu::SubmissionIndex)) -> Answer<Polled> {
        self.wish(device, Some(index))
    }

    fn wish(&self, device: &wgpu::Device, until: Option<wgpu::SubmissionIndex>) -> Answer<Polled> {
        let (done, answer) = answer();
        let wish = Wish { until, done };
        // An OpenGL context belongs to the thread that uses it.
        let start = || start(device.clone(), self.turns);
        let thread = {
            // A waker may call this function again, so no waker runs before the thread exists.
            let _quiet = Quiet::begin();
            if self.turns.are_taken() { &None } else { self.thread.get_or_init(start) }
        };
        let refused = match thread {
            Some(thread) => {
                let wishes = thread.wishes.lock().unwrap_or_else(PoisonError::into_inner);
                wishes.send(wish).err().map(|refused| refused.0)
            }
            None => Some(wish),
        };
        if let Some(wish) = refused {
            poll(device, self.turns, wish);
        }
        answer
    }
}

impl Drop for PollThread {
    /// Lets the thread finish its requests and end. The thread holds a handle to the device, so until it ends the device is not
    /// dropped.
    fn drop(&mut self) {
        let Some(Thread { wishes, handle, is_left }) = self.thread.take().flatten() else { return };
        is_left.store(POLLS.get(), Release);
        drop(wishes);
        // A waker may drop the last handle on a poll thread. On this one, the thread ends by itself; on another, which may wait for
        // this one, joining would wait for ever.
        if !POLLS.get() {
            let _ = handle.join();
        }
    }
}

fn start(device: wgpu::Device, turns: Turns) -> Option<Thread> {
    // Made before the end is watched, it lasts until all threads have left the driver.
    turns.make_first_wait(&device);
    watch();
    let (wishes, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new().name("wgpu-mlp poll".into());
    let is_left = Arc::<AtomicBool>::default();
    let left = is_left.clone();
    let spawned = thread.spawn(move || {
        POLLS.set(true);
        let serve = |wish| in_driver(|| poll(&device, turns, wish));
        for wish in receiver {
            // Only a waker or a callback of the caller's panics here, and the panic hook has been told. The requests of other tasks go on: without this thread, no
            // one would answer them. The panic's value is not dropped, since dropping it may panic too.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| serve(wish))) {
                std::mem::forget(panic);
            }
        }
        // If no thread waits for the end of this one, which may drop the device, then the end of the process waits for it.
        if left.load(Acquire) {
            in_driver(|| drop(device));
        }
    });
    spawned.ok().map(|handle| Thread { wishes: Mutex::new(wishes), handle, is_left })
}

/// Polls the device as wished.
fn poll(device: &wgpu::Device, turns: Turns, Wish { until, done }: Wish) {
    done.tell(turns.wait_for(device, until.as_ref(), || false));
}
