//! Somebody who polls the device while futures wait for it: a thread of its own, which sleeps in the driver.

use std::cell::Cell;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use super::callback::{Answer, Quiet, Teller, answer};
use super::ending::{in_driver, watch};
use super::turns::Turns;

thread_local! {
    /// Whether this is such a thread.
    static POLLS: Cell<bool> = const { Cell::new(false) };
}

/// What the thread is asked for: to poll until this submission, or everything, is done, and to tell who waits for just that.
struct Wish {
    until: Option<wgpu::SubmissionIndex>,
    done: Option<Teller<()>>,
}

/// The thread, once there is something to wait for. It ends with the device: whoever drops the last handle waits for it.
pub(in crate::gpu) struct PollThread {
    /// None where there is no thread to be had.
    thread: OnceLock<Option<Thread>>,
    /// Where these are taken, poll here and now instead.
    turns: Turns,
}

struct Thread {
    wishes: Mutex<Sender<Wish>>,
    handle: JoinHandle<()>,
}

impl PollThread {
    pub fn new(turns: Turns) -> Self {
        PollThread { thread: OnceLock::new(), turns }
    }

    /// Has the device polled, by the thread where that can be.
    pub fn ask(&self, device: &wgpu::Device, until: Option<wgpu::SubmissionIndex>) {
        self.wish(device, Wish { until, done: None });
    }

    /// The same, with an answer when it is done.
    pub fn after(&self, device: &wgpu::Device, until: Option<wgpu::SubmissionIndex>) -> Answer<()> {
        let (teller, answer) = answer();
        self.wish(device, Wish { until, done: Some(teller) });
        answer
    }

    fn wish(&self, device: &wgpu::Device, wish: Wish) {
        // A context of OpenGL is the thread's that works.
        let start = || start(device.clone(), self.turns);
        let thread = {
            // Who is woken may ask again, so nobody is before the thread is there.
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
    }
}

impl Drop for PollThread {
    /// Lets the thread do what it was asked for, and end: while it holds the device, nobody else has dropped the last of it.
    fn drop(&mut self) {
        let Some(Thread { wishes, handle }) = self.thread.take().flatten() else { return };
        drop(wishes);
        // A waker may drop the last handle on such a thread: on this one, which then ends by itself, or on another, which this one
        // may be waiting for.
        if !POLLS.get() {
            // It panics only where a waker did, which has told of that.
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
    let spawned = thread.spawn(move || {
        POLLS.set(true);
        receiver.into_iter().for_each(|wish| in_driver(|| poll(&device, turns, wish)));
    });
    spawned.ok().map(|handle| Thread { wishes: Mutex::new(wishes), handle })
}

/// What goes wrong is told by the callbacks, and by the device's own handlers.
fn poll(device: &wgpu::Device, turns: Turns, Wish { until, done }: Wish) {
    let _ = turns.wait_for(device, until.as_ref(), || false);
    if let Some(done) = done {
        done.tell(());
    }
}
