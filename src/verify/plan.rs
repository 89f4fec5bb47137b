//! What is run, in which settings; and the threads that do it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{thread, vec};

use super::case::Case;
use super::compare::{Worst, compare};
use super::report::Report;
use super::variants::{Missing, Setting, launched};
use crate::cores::cores;
use crate::device::Device;
use crate::error::Result;
use crate::gpu::Context;
use crate::waiting::{Waiting, at_once, give_way};

/// More threads than this would gain little: what they hand to the device, it computes one after another. And each has a case's
/// numbers in memory, inputs, results and references: some 20 MiB for the largest.
const MOST_THREADS: usize = 8;

/// The cases in their order. Which settings a case runs in depends on what those before it run, which dry runs tell: so all of it
/// is decided before anything is run, and the order of that changes nothing.
pub(super) struct Plan<'a> {
    jobs: Vec<Job<'a>>,
    missing: Missing,
    seed: u64,
}

/// A case to run.
struct Job<'a> {
    /// Its place among all.
    place: usize,
    case: &'a Case,
    /// Where it runs beside the device as it is.
    settings: Vec<&'a Setting>,
}

/// What came of a case: its worst element as the device runs it, and in each setting.
struct Outcome<'a> {
    place: usize,
    case: &'a Case,
    worst: Result<Vec<(&'a str, Worst)>>,
}

impl<'a> Plan<'a> {
    pub async fn new(
        waiting: Waiting,
        device: &Device,
        cases: &'a [Case],
        settings: &'a [Setting],
        possible: &BTreeSet<String>,
        options: &super::Options,
    ) -> Self {
        let (missing, seed) = (Missing::new(possible, cases), options.seed);
        let mut plan = Plan { jobs: Vec::new(), missing, seed };
        let dry = device.context().map(|_| device.dry());
        for case in cases.iter().filter(|case| options.full || !case.large) {
            if waiting == Waiting::Yielding {
                give_way().await;
            }
            let settings = dry.as_ref().map_or_else(Vec::new, |dry| plan.settings_of(case, dry, settings));
            plan.jobs.push(Job { place: plan.jobs.len(), case, settings });
        }
        plan
    }

    /// The settings in which the case runs something new.
    fn settings_of(&mut self, case: &Case, dry: &Device, settings: &'a [Setting]) -> Vec<&'a Setting> {
        let (inputs, missing) = (case.inputs(self.seed), &mut self.missing);
        let launched = |dry: &Device| launched(dry, |dry| case.run(dry, &inputs).map(drop));
        missing.ran(launched(dry));
        let suits = |setting: &&Setting| setting.suits(case, &inputs);
        let mut is_wanted = |setting: &&Setting| {
            let is_new = missing.wants(case) && missing.ran(launched(&setting.dry));
            is_new || setting.adds_windows(case)
        };
        settings.iter().filter(suits).filter(&mut is_wanted).collect()
    }

    /// Runs all of it, on several threads where the caller's may be blocked, and adds it to the report in the plan's order. Gives
    /// what no case takes.
    ///
    /// # Errors
    /// That of the first case in this order that could not be run. None is begun behind it.
    pub async fn run(self, waiting: Waiting, device: &Device, report: &mut Report) -> Result<Missing> {
        let Plan { jobs, mut missing, seed } = self;
        let threads = if waiting == Waiting::Blocking { threads(device) } else { 1 };
        if let Some(gpu) = device.context().filter(|_| threads > 1) {
            // Cases that come one after another launch much the same, so each thread would wait for what another compiles.
            gpu.compile_ahead(std::mem::take(&mut missing.compiled));
        }
        let left = Mutex::new(Left { jobs: jobs.into_iter(), over: false });
        let run = Run { device, seed, left, outcomes: Mutex::default() };
        if threads == 1 {
            run.take(waiting).await;
        } else {
            thread::scope(|scope| {
                for _ in 1..threads {
                    // If the system refuses a thread, the others do its share.
                    let _ = thread::Builder::new().spawn_scoped(scope, || at_once(run.take(waiting)));
                }
                at_once(run.take(waiting));
            });
        }
        let mut outcomes = run.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcomes.sort_by_key(|outcome| outcome.place);
        for Outcome { case, worst, .. } in outcomes {
            worst?.into_iter().for_each(|(setting, worst)| report.add(case, setting, worst));
        }
        Ok(missing)
    }
}

/// How many threads run cases. One alone where the caller bounds the device's memory: what is enough for each case shall be enough.
fn threads(device: &Device) -> usize {
    if device.context().and_then(Context::max_memory_bytes).is_some() {
        return 1;
    }
    cores().min(MOST_THREADS)
}

/// What no thread has taken.
struct Left<'a> {
    jobs: vec::IntoIter<Job<'a>>,
    /// Whether nothing more is to be begun.
    over: bool,
}

/// A plan that is run.
struct Run<'a> {
    device: &'a Device,
    seed: u64,
    left: Mutex<Left<'a>>,
    outcomes: Mutex<Vec<Outcome<'a>>>,
}

impl<'a> Run<'a> {
    /// Runs until nothing is left.
    async fn take(&self, waiting: Waiting) {
        let next = || {
            let mut left = lock(&self.left);
            if left.over { None } else { left.jobs.next() }
        };
        while let Some(Job { place, case, settings }) = next() {
            let worst = self.worst(waiting, case, settings).await;
            if is_last(&worst) {
                lock(&self.left).over = true;
            }
            lock(&self.outcomes).push(Outcome { place, case, worst });
        }
    }

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

/// Whether nothing is to be run after this: not behind an error, and one wrong case is enough to notice a mutant.
fn is_last(worst: &Result<Vec<(&str, Worst)>>) -> bool {
    match worst {
        Ok(worst) => cfg!(wgpu_mlp_mutants) && worst.iter().any(|(_, worst)| !worst.passed()),
        Err(_) => true,
    }
}
