//! The processor's cores.

use std::sync::OnceLock;
use std::thread;

/// Threads that the process may use at a time; 1 where the system does not say. It is asked once: on some systems that reads files,
/// which takes longer than what small work would be shared for.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}
