//! The peak of the program's own memory, which is not backed by a file.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The time between two measurements of the memory.
const INTERVAL: Duration = Duration::from_millis(5);

/// Measures the memory repeatedly, in a thread of its own.
pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Option<u64>>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let thread = thread::spawn(move || {
            let mut peak = own_bytes()?;
            while !until.load(Relaxed) {
                thread::sleep(INTERVAL);
                peak = peak.max(own_bytes()?);
            }
            Some(peak)
        });
        Watch { over, thread }
    }

    /// The peak that was measured; `None` if the system does not tell.
    pub(crate) fn peak(self) -> Option<Peak> {
        self.over.store(true, Relaxed);
        let own = self.thread.join().ok().flatten()?;
        Some(Peak { own, all: status(&["VmHWM:"])? })
    }
}

/// The most memory, in bytes.
pub(crate) struct Peak {
    /// Without the pages of files.
    pub(crate) own: u64,
    /// With the pages of files, which the system removes if it needs the memory.
    pub(crate) all: u64,
}

/// Anonymous and shared memory of this process. Software drivers keep the device's memory in one of the two.
fn own_bytes() -> Option<u64> {
    status(&["RssAnon:", "RssShmem:"])
}

/// The sum of these lines of `/proc/self/status`, in bytes.
fn status(names: &[&str]) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let bytes = |name: &&str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
    };
    names.iter().map(bytes).sum()
}
