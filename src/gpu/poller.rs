//! Somebody who polls the device while futures wait for it: a thread of its own, which sleeps in the driver.

use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::answer::{Answer, Teller, answer};

/// What the thread is asked for: to poll until this submission, or everything, is done, and to tell who waits for just that.
struct Wish {
    until: Option<wgpu::SubmissionIndex>,
    done: Option<Teller<()>>,
}

/// The thread, once there is something to wait for; it ends with the device.
pub(super) struct Poller {
    /// None where there is no thread to be had.
    thread: OnceLock<Option<Mutex<Sender<Wish>>>>,
    /// Poll here and now instead.
    here: bool,
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
            Some(sender) => {
                let sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
                sender.send(wish).err().map(|refused| refused.0)
            }
            None => Some(wish),
        };
        if let Some(wish) = refused {
            poll(device, wish);
        }
    }
}

fn start(device: wgpu::Device) -> Option<Mutex<Sender<Wish>>> {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new().name("wgpu-mlp poller".into());
    let spawned = thread.spawn(move || receiver.into_iter().for_each(|wish| poll(&device, wish)));
    spawned.is_ok().then(|| Mutex::new(sender))
}

/// What goes wrong is told by the callbacks, and by the device's own handlers; a driver's wait may end too early.
fn poll(device: &wgpu::Device, Wish { until, done }: Wish) {
    let wait = || wgpu::PollType::Wait { submission_index: until.clone(), timeout: None };
    while let Err(wgpu::PollError::Timeout) = device.poll(wait()) {}
    if let Some(done) = done {
        done.tell(());
    }
}
