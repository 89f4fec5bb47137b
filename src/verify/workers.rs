//! Worker threads that run the cases of a plan.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{thread, vec};

use super::case::Case;
use super::compare::{Worst, compare};
use super::missing::MissingVariants;
use super::plan::{Job, Plan};
use super::report::Report;
use super::settings::Setting;
use crate::cores::cores;
use crate::device::Device;
use crate::error::Result;
use crate::waiting::{Waiting, at_once};

/// The most threads that run cases. More would gain little, since the device computes the work of all threads one after
/// another; and each holds the inputs, results and references of a case in memory, some 20 MiB for the largest.
const MAX_THREADS: usize = 8;

/// The progress of a verification, reported after each case, in the order in which the cases end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The number of cases that have run.
    pub done: usize,
    /// The number of cases in all.
    pub total: usize,
    /// The op and the shape of the case, as `matmul 33x65x17`.
    pub case: String,
    /// Whether every element was within its bound.
    pub passed: bool,
}

/// Runs a plan and adds the results to the report in the plan's order. It uses several threads if the caller's thread may block.
/// Returns the variants that no case launched.
///
/// # Errors
/// The error of the first case, in the plan's order, that could not be run. No case is begun after an error.
pub(super) async fn run_plan(
    plan: Plan<'_>,
    waiting: Waiting,
    device: &Device,
    (report, watch): (&mut Report, &mut (dyn FnMut(Progress) + Send)),
) -> Result<MissingVariants> {
    let Plan { jobs, mut missing, seed } = plan;
    let threads = if waiting == Waiting::Blocking { threads(device) } else { 1 };
    if let Some(gpu) = device.context().filter(|_| threads > 1) {
        // Cases next to each other launch the same kernels, so each thread would wait for another one to compile them.
        gpu.compile_ahead(std::mem::take(&mut missing.compiled));
    }
    let total = jobs.len();
    let queue = Mutex::new(Queue { jobs: jobs.into_iter(), closed: false });
    let workers = Workers { device, seed, total, queue, outcomes: Mutex::default(), watch: Mutex::new(watch) };
    if threads == 1 {
        workers.work(waiting).await;
    } else {
        thread::scope(|scope| {
            for _ in 1..threads {
                // If the system refuses a thread, the others do its share.
                let _ = thread::Builder::new().spawn_scoped(scope, || at_once(workers.work(waiting)));
            }
            at_once(workers.work(waiting));
        });
    }
    let mut outcomes = workers.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| outcome.index);
    for Outcome { case, worst, .. } in outcomes {
        worst?.into_iter().for_each(|(setting, worst)| report.add(case, setting, worst));
    }
    Ok(missing)
}

/// The number of threads that run cases. It is one if the caller limits the device's memory, since the limit may allow only one
/// case at a time.
fn threads(device: &Device) -> usize {
    if device.context().and_then(|gpu| gpu.options().max_memory_bytes).is_some() {
        return 1;
    }
    cores().min(MAX_THREADS)
}

/// The jobs that no thread has begun.
struct Queue<'a> {
    jobs: vec::IntoIter<Job<'a>>,
    /// Whether no further job is to be begun.
    closed: bool,
}

/// Closes the queue if its thread panics, for example in the caller's `watch`, so that the other threads end too.
struct ClosingOnPanic<'w, 'a>(&'w Mutex<Queue<'a>>);

impl Drop for ClosingOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(self.0).closed = true;
        }
    }
}

/// The result of a case: the worst element on the device as it is, and in each setting.
struct Outcome<'a> {
    index: usize,
    case: &'a Case,
    worst: Result<Vec<(&'a str, Worst)>>,
}

/// The state that the threads share.
struct Workers<'a> {
    device: &'a Device,
    seed: u64,
    total: usize,
    queue: Mutex<Queue<'a>>,
    outcomes: Mutex<Vec<Outcome<'a>>>,
    watch: Mutex<&'a mut (dyn FnMut(Progress) + Send)>,
}

impl<'a> Workers<'a> {
    /// Runs jobs until the queue is empty or closed.
    async fn work(&self, waiting: Waiting) {
        let _closing = ClosingOnPanic(&self.queue);
        let next = || {
            let mut queue = lock(&self.queue);
            if queue.closed { None } else { queue.jobs.next() }
        };
        while let Some(Job { index, case, settings }) = next() {
            let worst = self.worst(waiting, case, settings).await;
            if ends_run(&worst) {
                lock(&self.queue).closed = true;
            }
            self.note(Outcome { index, case, worst });
        }
    }

    /// Keeps the outcome of a case, and tells of it, one at a time.
    fn note(&self, outcome: Outcome<'a>) {
        let passed = outcome.worst.as_ref().is_ok_and(|worst| worst.iter().all(|(_, worst)| worst.passed()));
        let case = format!("{} {}", outcome.case.op, outcome.case.shape());
        let mut watch = lock(&self.watch);
        let mut outcomes = lock(&self.outcomes);
        outcomes.push(outcome);
        let done = outcomes.len();
        drop(outcomes);
        watch(Progress { done, total: self.total, case, passed });
    }

    /// The worst element of the case on the device as it is, and in each setting.
    async fn worst(&self, waiting: Waiting, case: &Case, settings: Vec<&'a Setting>) -> Result<Vec<(&'a str, Worst)>> {
        let (inputs, expected) = case.drawn(self.seed);
        let mut worst = vec![("", compare(&case.run_by(waiting, self.device, &inputs).await?, &expected))];
        for Setting { name, device, .. } in settings {
            worst.push((name, compare(&case.run_by(waiting, device, &inputs).await?, &expected)));
        }
        Ok(worst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether no further case is to run, after an error or after the first wrong case of a mutant.
fn ends_run(worst: &Result<Vec<(&str, Worst)>>) -> bool {
    match worst {
        Ok(worst) => cfg!(wgpu_mlp_mutants) && worst.iter().any(|(_, worst)| !worst.passed()),
        Err(_) => true,
    }
}
