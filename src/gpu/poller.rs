//! Somebody who polls the device while futures wait for it: a thread of its own, which sleeps in the driver.

use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The thread, once there is something to wait for; it ends with the device.
#[derive(Default)]
pub(super) struct Poller(OnceLock<Option<Mutex<Sender<Option<wgpu::SubmissionIndex>>>>>);

impl Poller {
    /// Has the device polled until this submission, or everything, is done: by the thread, or here and now where there is no
    /// thread to be had.
    pub fn ask(&self, device: &wgpu::Device, submission: Option<wgpu::SubmissionIndex>) {
        let asked = self.0.get_or_init(|| start(device.clone()));
        let asked = asked.as_ref().map(|sender| {
            let sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
            sender.send(submission.clone()).is_ok()
        });
        if asked != Some(true) {
            poll(device, submission);
        }
    }
}

fn start(device: wgpu::Device) -> Option<Mutex<Sender<Option<wgpu::SubmissionIndex>>>> {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new().name("wgpu-mlp poller".into());
    let spawned = thread.spawn(move || receiver.into_iter().for_each(|submission| poll(&device, submission)));
    spawned.is_ok().then(|| Mutex::new(sender))
}

/// What goes wrong is told by the callbacks, and by the device's own handlers.
fn poll(device: &wgpu::Device, submission_index: Option<wgpu::SubmissionIndex>) {
    let _ = device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
}
