//! The number of the processor's cores that the process may use.

use std::sync::OnceLock;
use std::thread;

/// The number of threads that the process may run at a time; 1 if the system does not tell. The system is asked only once: on
/// some systems this reads files, which takes longer than small work saves by being shared.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}
