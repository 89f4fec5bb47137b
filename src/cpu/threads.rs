//! Threads that share the work of an op. The shape alone decides how the work is cut into blocks, and each block has its own part
//! of the result. So the number of threads changes only the time.

use std::sync::{Mutex, PoisonError};
use std::thread;

use ndarray::{Array2, ArrayView2};

use super::{Real, memory};
use crate::cores::cores;

/// The work for which one more thread is worth its start, in simple operations on one element.
const GRAIN: usize = 1 << 18;
/// The number of elements of a block, few enough that a block stays in a core's cache from one loop over it to the next.
const BLOCK: usize = 1 << 14;
/// The cost of an exponential or a logarithm in simple operations.
pub(super) const EXP: usize = 8;

/// The number of threads for this much work, in simple operations on one element; at most as many as the process may use.
pub(super) fn worth(work: usize) -> usize {
    #[cfg(test)]
    if let Some(threads) = tests::FORCED.get() {
        return threads;
    }
    if work < 2 * GRAIN {
        return 1;
    }
    cores().min(work / GRAIN)
}

/// Whether [`filled`], with its threads and its reuse of memory, is faster for a simple loop over this many elements. Smaller
/// results are faster if they are collected into new memory, which is not zeroed first.
pub(super) fn pays(elements: usize) -> bool {
    #[cfg(test)]
    if tests::FORCED.get().is_some() {
        return true;
    }
    elements >= memory::LARGE
}

/// The number of rows of a block of a matrix this wide.
pub(super) fn block_rows(cols: usize) -> usize {
    (BLOCK / cols.max(1)).max(1)
}

/// Runs every job once. `work`, in simple operations, decides the number of threads. The jobs are compiled for every width of
/// vectors and run with the widest that the processor has; the bits are the same for all widths.
pub(super) fn each<J: Send>(jobs: impl Iterator<Item = J> + Send, work: usize, run: impl Fn(J) + Sync) {
    let threads = worth(work);
    let queue = Mutex::new(jobs);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take = || {
        pulp::Arch::new().dispatch(|| {
            while let Some(job) = next() {
                run(job);
            }
        });
    };
    if threads == 1 {
        return take();
    }
    thread::scope(|scope| {
        for _ in 1..threads {
            // If the system refuses a thread, the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, take);
        }
        take();
    });
}

/// A matrix of the inputs' shape, filled by blocks of whole rows: `fill(first row, rows of the inputs, rows of the result)`.
pub(super) fn filled<T: Real, const N: usize>(
    inputs: [ArrayView2<'_, T>; N],
    cost: usize,
    fill: impl Fn(usize, [&[T]; N], &mut [T]) + Sync,
) -> Array2<T> {
    let (rows, cols) = inputs[0].dim();
    let inputs = inputs.each_ref().map(|input| input.as_standard_layout());
    let inputs = inputs.each_ref().map(|input| input.as_slice().unwrap_or_default());
    let mut out = memory::unwritten(rows, cols);
    let block = block_rows(cols);
    let results = out.as_slice_mut().unwrap_or_default().chunks_mut((block * cols).max(1));
    each(results.enumerate(), (rows * cols).saturating_mul(cost), |(index, result)| {
        let begin = index * block * cols;
        fill(index * block, inputs.map(|input| &input[begin..begin + result.len()]), result);
    });
    out
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    thread_local! {
        /// The number of threads that a test wants, whatever the work.
        pub static FORCED: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// The result of `run` on this many threads.
    pub fn on_threads<R>(threads: usize, run: impl FnOnce() -> R) -> R {
        FORCED.set(Some(threads));
        let result = run();
        FORCED.set(None);
        result
    }

    #[test]
    fn every_job_runs_once() {
        for threads in [1, 2, 7, 64] {
            let counts: Vec<_> = (0..100).map(|_| AtomicUsize::new(0)).collect();
            let count = |job: usize| {
                counts[job].fetch_add(1, Ordering::Relaxed);
            };
            on_threads(threads, || each(0..100, 0, count));
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn small_work_stays_on_the_callers_thread() {
        let caller = thread::current().id();
        each(0..100, GRAIN, |_| assert_eq!(thread::current().id(), caller));
    }
}
