//! The processor's cores: how many of them the process may use, and work that several threads share.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// The number of threads that the process may run at a time; 1 if the system does not tell. The system is asked only once: on
/// some systems this reads files, which takes longer than small work saves by being shared.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Does each piece of the work once, on so many threads, or on as many as the system gives. The calling thread is one of them, and
/// the others have this name.
pub(crate) fn share_out<W: Send>(threads: usize, name: &str, work: Vec<W>, each: impl Fn(W) + Sync) {
    if threads == 1 {
        return work.into_iter().for_each(each);
    }
    let pieces = work.len();
    let queue = Mutex::new(work.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        while let Some(piece) = next() {
            each(piece);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(pieces) {
            if thread::Builder::new().name(name.into()).spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
}
