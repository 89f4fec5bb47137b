//! Ranks over MPI: this program starts itself by `mpirun`, with 1 to 4 ranks, and compares what they say with ranks that are
//! threads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod job;
#[path = "../training/mod.rs"]
mod training;

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use ndarray::s;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, Error, FitOptions, GpuOptions, Mlp, Result, Trainer, verify};

use job::Job;
use training::over_ranks::{self, Data};
use training::rank_faults::{self, FAULTS, Fault};

/// The runs with a fault, with --full; fewer otherwise.
const FAULTY_RUNS: u64 = 200;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--rank") {
        return as_rank(&arguments[place + 1..]);
    }
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let devices = if env::var_os("WGPU_MLP_STACK").is_some() { &["cpu", "gpu"][..] } else { &["cpu"] };
    if devices.len() == 1 {
        common::say("skipped: ranks on GPUs, since WGPU_MLP_STACK is not set");
    }
    let mut trials = vec![
        Trial::test("no fault leaves a rank waiting", faults),
        Trial::test("an interrupted job leaves its last checkpoint", interrupted),
        Trial::test("one report of all devices", || say_alike("verify", "cpu", 2).map(drop)),
        Trial::test("a file that all ranks see", || say_alike("file", "cpu", 3).map(drop)),
    ];
    for device in devices {
        for size in 1..=4 {
            let name = format!("{size} ranks on the {device} are as threads");
            trials.push(Trial::test(name, move || as_threads(device, size)));
            trials.push(Trial::test(format!("scores of {size} ranks on the {device}"), move || {
                say_alike("scores", device, size).map(drop)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What a rank does that was started by this program.
fn as_rank(arguments: &[String]) -> ExitCode {
    let [what, device, rest @ ..] = arguments else { return ExitCode::from(2) };
    let outcome = Ranks::over_mpi(|ranks| {
        let device = ranks.agree(opened(device))?;
        match what.as_str() {
            "train" => {
                let trained = over_ranks::train(&device, ranks, &Data::new().weighted(), &training::rich())?;
                Ok(format!("{:08x?} {:?}", trained.bits, trained.epochs))
            }
            "scores" => over_ranks::scores_of(&device, ranks).map(|()| "well".into()),
            "verify" => {
                let reports = verify::run_over(ranks, &device, &verify::Options { full: false, ..Default::default() })?;
                Ok(reports.iter().map(|report| format!("{}: {} ops; ", report.device, report.rows.len())).collect())
            }
            "file" => from_file(&device, ranks),
            "fault" => {
                let fault = fault_of(&rest[0]).filter(|_| rest[1].parse() == Ok(ranks.rank()));
                rank_faults::faulty(&device, ranks, fault, rest[2].parse().unwrap()).map(|epochs| epochs.to_string())
            }
            "long" => long(&device, ranks, &rest[0]),
            _ => panic!("{what} is unknown"),
        }
    });
    match outcome {
        Ok(said) => {
            // One short write: the launcher mixes what ranks write in several.
            println!("said: {}", digest(&said));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn opened(device: &str) -> Result<Device> {
    if device == "gpu" { Device::gpu_with(&GpuOptions::default()) } else { Ok(Device::cpu()) }
}

fn fault_of(name: &str) -> Option<Fault> {
    FAULTS.into_iter().chain([Fault::Kill, Fault::Exit]).find(|fault| format!("{fault:?}") == name)
}

/// All ranks must say the same, which this returns.
fn say_alike(what: &str, device: &str, size: usize) -> Result<String, Failed> {
    let ended = Job::start(size, &[what, device])?.ended(Duration::from_secs(300))?;
    let mut said = ended.lines("said: ");
    if !ended.success || said.len() != size || said.iter().any(|other| *other != said[0]) {
        return Err(format!("{what} on {size} ranks: {}", ended.text()).into());
    }
    Ok(said.swap_remove(0))
}

/// A number that stands for a text, the same in every process of this program.
fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A training over MPI has the bits of one over as many threads.
fn as_threads(device: &str, size: usize) -> Result<(), Failed> {
    let said = say_alike("train", device, size)?;
    let threads = over_ranks::train_over(&opened(device)?, size, &Data::new().weighted(), &training::rich())?;
    assert_eq!(said, digest(&format!("{:08x?} {:?}", threads.bits, threads.epochs)));
    Ok(())
}

/// A slice of one mapped file for each rank.
fn from_file(device: &Device, ranks: &Ranks) -> Result<String> {
    use wgpu_mlp::data::{npy_view, write_npy};

    let path = env::temp_dir().join(format!("wgpu-mlp-mpi-{}.npy", env::var("WGPU_MLP_MPI_JOB").unwrap_or_default()));
    let (x, labels) = training::blobs(90, 5);
    if ranks.rank() == 0 {
        ranks.agree(write_npy(&path, x.view()))?;
    } else {
        ranks.agree(Ok::<_, Error>(()))?;
    }
    let failed = |source| Error::File { path: path.clone(), source };
    let file = std::fs::File::open(&path).map_err(failed)?;
    #[allow(unsafe_code, reason = "nobody changes the file")]
    let mapped = unsafe { memmap2::Mmap::map(&file) }.map_err(failed)?;
    let rows = npy_view(&mapped, &path)?;
    let own = ranks.share_of(labels.len());
    let options = FitOptions { epochs: 2, batch: 20, ..Default::default() };
    let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
    Trainer::new(&options).over(ranks).fit(&mut model, rows.slice(s![own.clone(), ..]), &labels[own])?;
    ranks.agree(Ok::<_, Error>(()))?;
    if ranks.rank() == 0 {
        std::fs::remove_file(&path).map_err(failed)?;
    }
    Ok(format!("{:?}", model.parameters()?))
}

/// A fault on a rank of so many, in this step.
struct FaultyJob {
    run: u64,
    size: usize,
    fault: Fault,
    rank: usize,
    step: usize,
}

/// Faults at random steps of random ranks: each job ends in time, and where a rank could still speak all of them say who it was.
/// Two jobs run at a time, since they mostly begin and end.
fn faults() -> Result<(), Failed> {
    let runs = if common::full() { FAULTY_RUNS } else { FAULTY_RUNS / 10 };
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let drawn = |run| {
        let faults: Vec<_> = FAULTS.into_iter().chain([Fault::Kill, Fault::Exit]).collect();
        let (size, fault) = (rng.random_range(2..=4), faults[rng.random_range(0..faults.len())]);
        FaultyJob { run, size, fault, rank: rng.random_range(0..size), step: rng.random_range(0..12) }
    };
    let jobs: Vec<_> = (0..runs).map(drawn).collect();
    let lane = |first: usize| jobs.iter().skip(first).step_by(2).try_for_each(FaultyJob::ends_well);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| lane(1));
        let outcome = lane(0);
        outcome.and(other.join().unwrap_or_else(|_| Err("a thread of the test panicked".into())))
    })?;
    common::say(&format!("{runs} jobs with a fault ended in time"));
    Ok(())
}

impl FaultyJob {
    fn ends_well(&self) -> Result<(), Failed> {
        let FaultyJob { run, size, fault, rank, step } = self;
        let name = format!("run {run}: {fault:?} on rank {rank} of {size}, step {step}");
        let words = [format!("{fault:?}"), rank.to_string(), step.to_string()];
        let job = Job::start(*size, &["fault", "cpu", &words[0], &words[1], &words[2]])?;
        let ended = job.ended(Duration::from_secs(60)).map_err(|error| format!("{name}: {error:?}"))?;
        let errors = ended.lines("error: ");
        let well = match fault {
            Fault::Break => ended.success,
            // The launcher ends the others, or they see that a rank has gone.
            Fault::Kill | Fault::Exit => !ended.success,
            // A rank that panics says nothing behind it.
            _ => {
                let speaking = if matches!(fault, Fault::Panic) { size - 1 } else { *size };
                let words = format!("rank {rank}: ");
                !ended.success
                    && !errors.is_empty()
                    && errors.len() <= speaking
                    && errors.iter().all(|error| error.starts_with(&words))
            }
        };
        if well { Ok(()) } else { Err(format!("{name}: {}", ended.text()).into()) }
    }
}

/// A training of many epochs, with a checkpoint after each.
fn long(device: &Device, ranks: &Ranks, checkpoint: &str) -> Result<String> {
    let (x, labels) = training::blobs(90, 5);
    let own = ranks.share_of(labels.len());
    let options = FitOptions { epochs: 1_000_000, batch: 30, ..Default::default() };
    let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
    let trainer = Trainer::new(&options).over(ranks).checkpoint(checkpoint);
    trainer.fit(&mut model, x.slice(s![own.clone(), ..]), &labels[own]).map(|_| "ended".into())
}

/// Ctrl-C in a training leaves a checkpoint of a whole epoch, from which one process goes on.
fn interrupted() -> Result<(), Failed> {
    let folder = env::temp_dir().join(format!("wgpu-mlp-mpi-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("training.checkpoint");
    let job = Job::start(2, &["long", "cpu", &path.to_string_lossy()])?;
    job.when(|| path.exists(), Duration::from_secs(60))?;
    std::thread::sleep(Duration::from_millis(500));
    job.interrupt()?;
    let ended = job.ended(Duration::from_secs(60))?;
    assert!(!ended.success, "{}", ended.text());
    let (x, labels) = training::blobs(90, 5);
    let mut model = Mlp::new(&Device::cpu(), &[4, 8, 3], 1)?;
    let options = FitOptions { epochs: 0, batch: 30, ..Default::default() };
    let history = Trainer::new(&options).checkpoint(&path).resume().fit(&mut model, x.view(), &labels)?;
    assert!(!history.epochs.is_empty(), "no whole epoch is in the checkpoint");
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
