//! Faults of ranks that are processes: each job ends in time, and every rank that can still print names the rank that failed.

use std::time::Duration;

use libtest_mimic::Failed;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::common;
use crate::job::{Job, two_at_a_time};
use crate::training::rank_faults::{FAULTS, Fault};

/// The faults of a process, which threads cannot have.
const OF_PROCESSES: [Fault; 2] = [Fault::Kill, Fault::Exit];

/// A fault on a rank of so many, in this step.
struct FaultyJob {
    run: u64,
    device: &'static str,
    size: usize,
    fault: Fault,
    rank: usize,
    step: usize,
}

/// Faults at random steps of random ranks.
pub fn on(device: &'static str) -> Result<(), Failed> {
    let runs = match (device, common::full()) {
        ("gpu", true) => 24,
        ("gpu", false) => 6,
        (_, true) => 200,
        (_, false) => 20,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let jobs: Vec<_> = (0..runs).map(|run| FaultyJob::drawn(run, device, &mut rng)).collect();
    two_at_a_time(&jobs, FaultyJob::ends_well)?;
    common::say(&format!("{runs} jobs with a fault on the {device} ended in time"));
    Ok(())
}

/// The fault of this name.
pub fn named(name: &str) -> Fault {
    let mut faults = FAULTS.into_iter().chain(OF_PROCESSES).chain([Fault::Lost]);
    faults.find(|fault| format!("{fault:?}") == name).unwrap()
}

impl FaultyJob {
    fn drawn(run: u64, device: &'static str, rng: &mut ChaCha8Rng) -> FaultyJob {
        let faults: Vec<_> = FAULTS.into_iter().chain(OF_PROCESSES).collect();
        let (size, fault) = (rng.random_range(2..=4), faults[rng.random_range(0..faults.len())]);
        // The CPU path has no lost device.
        let fault = if device == "gpu" && run.is_multiple_of(3) { Fault::Lost } else { fault };
        FaultyJob { run, device, size, fault, rank: rng.random_range(0..size), step: rng.random_range(0..12) }
    }

    fn ends_well(&self) -> Result<(), Failed> {
        let FaultyJob { run, device, size, fault, rank, step } = self;
        let name = format!("run {run}: {fault:?} on rank {rank} of {size} on the {device}, step {step}");
        let words = [format!("{fault:?}"), rank.to_string(), step.to_string(), run.to_string()];
        let job = Job::start(*size, &["fault", *device, &words[0], &words[1], &words[2], &words[3]])?;
        let ended = job.ended(Duration::from_secs(120)).map_err(|error| format!("{name}: {error:?}"))?;
        let [said, errors, panicked] = ["said: ", "error: ", "panicked: "].map(|beginning| ended.lines(beginning));
        let well = match fault {
            // All ranks end in one epoch.
            Fault::Break => ended.success && ended.alike("said: ", *size).is_some(),
            // The launcher ends the others, which are waiting for the rank that has ended.
            Fault::Kill | Fault::Exit => !ended.success && said.is_empty(),
            // A rank that panics returns nothing. All others return an error.
            _ => {
                let (panics, lost) = (matches!(fault, Fault::Panic), matches!(fault, Fault::Lost));
                let words = format!("rank {rank}: {}", if lost { "the device was lost" } else { "" });
                ended.success
                    && panicked.len() == usize::from(panics)
                    && errors.len() == size - usize::from(panics)
                    && errors.iter().all(|error| error.starts_with(&words))
            }
        };
        if well { Ok(()) } else { Err(format!("{name}: {}", ended.text()).into()) }
    }
}
