//! Somebody who polls the device while futures wait for it: a thread of its own, which sleeps in the driver.

use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use super::answer::{Answer, Teller, answer};

/// What the thread is asked for: to poll until this submission, or everything, is done, and to tell who waits for just that.
struct Wish {
    until: Option<wgpu::SubmissionIndex>,
    done: Option<Teller<()>>,
}

/// The thread, once there is something to wait for. It ends with the device: whoever drops the last handle waits for it.
pub(super) struct Poller {
    /// None where there is no thread to be had.
    thread: OnceLock<Option<Thread>>,
    /// Poll here and now instead.
    here: bool,
}

struct Thread {
    wishes: Mutex<Sender<Wish>>,
    handle: JoinHandle<()>,
}

impl Poller {
    /// An OpenGL context is locked while it works, and wgpu panics on a thread that has waited for that lock for some seconds:
    /// there, nobody polls beside the thread that works.
    pub fn new(backend: wgpu::Backend) -> Self {
        Poller { thread: OnceLock::new(), here: backend == wgpu::Backend::Gl }
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
        let thread = if self.here { &None } else { self.thread.get_or_init(|| start(device.clone())) };
        let refused = match thread {
            Some(thread) => {
                let wishes = thread.wishes.lock().unwrap_or_else(PoisonError::into_inner);
                wishes.send(wish).err().map(|refused| refused.0)
            }
            None => Some(wish),
        };
        if let Some(wish) = refused {
            poll(device, wish);
        }
    }
}

impl Drop for Poller {
    /// Lets the thread do what it was asked for, and end: while it holds the device, nobody else has dropped the last of it.
    fn drop(&mut self) {
        let Some(Thread { wishes, handle }) = self.thread.take().flatten() else { return };
        drop(wishes);
        // A waker may drop the last handle on the thread itself, which then ends by itself.
        if handle.thread().id() != std::thread::current().id() {
            // It panics only where a waker did, which has told of that.
            let _ = handle.join();
        }
    }
}

fn start(device: wgpu::Device) -> Option<Thread> {
    let (wishes, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new().name("wgpu-mlp poller".into());
    let spawned = thread.spawn(move || receiver.into_iter().for_each(|wish| poll(&device, wish)));
    spawned.ok().map(|handle| Thread { wishes: Mutex::new(wishes), handle })
}

/// What goes wrong is told by the callbacks, and by the device's own handlers; a driver's wait may end too early.
fn poll(device: &wgpu::Device, Wish { until, done }: Wish) {
    let wait = || wgpu::PollType::Wait { submission_index: until.clone(), timeout: None };
    while let Err(wgpu::PollError::Timeout) = device.poll(wait()) {}
    if let Some(done) = done {
        done.tell(());
    }
}
