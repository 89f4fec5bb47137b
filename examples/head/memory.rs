//! The most memory that is the program's own: what no file stands behind.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Memory is looked at this often.
const INTERVAL: Duration = Duration::from_millis(5);

/// Looks at the memory again and again, in a thread of its own.
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

    /// The most that was seen, in bytes; `None` where the system does not tell.
    pub(crate) fn peak(self) -> Option<u64> {
        self.over.store(true, Relaxed);
        self.thread.join().ok().flatten()
    }
}

/// Anonymous and shared memory of this process: all that is resident but the pages of files. Software drivers keep what
/// they call the device's memory in the one or the other.
fn own_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    Some(1024 * (kilobytes("RssAnon:")? + kilobytes("RssShmem:")?))
}
