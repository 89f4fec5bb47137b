//! Ranks over MPI: this program starts itself with `mpirun`, with 1 to 4 ranks, and compares their results with those of ranks
//! that are threads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod alike;
mod calls;
mod checkpoints;
#[path = "../common/mod.rs"]
mod common;
mod differ;
mod faults;
mod files;
mod job;
mod logs;
mod sums;
#[path = "../training/mod.rs"]
mod training;

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, FitOptions, GpuOptions, Result, verify};

use job::Job;
use training::over_ranks::{self, Data};
use training::{rank_faults, ranks_resumed};

/// The deadline of a verification: a software driver compiles every kernel for it, while another rank waits and takes a processor.
const LONGEST_VERIFICATION: Duration = Duration::from_secs(1800);

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--rank") {
        let words: Vec<_> = arguments[place + 1..].iter().map(String::as_str).collect();
        return as_rank(&words);
    }
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let devices = if env::var_os("WGPU_MLP_STACK").is_some() { &["cpu", "gpu"][..] } else { &["cpu"] };
    if devices.len() == 1 {
        common::say("skipped: ranks on GPUs, since WGPU_MLP_STACK is not set");
    }
    let mut trials = vec![
        Trial::test("an interrupted job leaves its last checkpoint", checkpoints::interrupted),
        Trial::test("checkpoints are resumed by any number of ranks", checkpoints::resumed),
        Trial::test("a training with a part held back is resumed", checkpoints::held_back_resumed),
        Trial::test("a program without a launcher is the only rank", alike::no_launcher),
        Trial::test("a launcher of another MPI library is an error", alike::another_launcher),
        Trial::test("a call for which memory is missing fails on all ranks", calls::lack_memory),
        Trial::test("ranks that were given different things are told so", differ::told),
        Trial::test("sums of more values than MPI is given at a time", || say_alike(&["sum", "cpu"], 3).map(drop)),
        Trial::test("a file that all ranks see", files::one_for_all),
        Trial::test("a file for each rank", files::one_for_each),
    ];
    for &device in devices {
        let report = move || say_alike_within(&["verify", device], 2, LONGEST_VERIFICATION).map(drop);
        trials.push(Trial::test(format!("one report of all devices, the first of them the {device}"), report));
        trials.push(Trial::test(format!("no fault leaves a rank on the {device} waiting"), move || faults::on(device)));
        let name = format!("no call leaves a rank on the {device} waiting");
        trials.push(Trial::test(name, move || calls::fail_on(device)));
        let name = format!("one rank on the {device} is as without ranks");
        trials.push(Trial::test(name, move || alike::one_rank(device)));
        for size in 2..=4 {
            let name = format!("{size} ranks on the {device}, the first without a row that counts");
            trials.push(Trial::test(name, move || say_alike(&["ignored", device], size).map(drop)));
        }
        trials.push(Trial::test(format!("each rank logs which device it has, on the {device}"), move || {
            say_alike(&["log", device], 2).map(drop)
        }));
        for size in 1..=4 {
            let name = format!("{size} ranks on the {device} are as threads");
            trials.push(Trial::test(name, move || as_threads(device, size)));
            trials.push(Trial::test(format!("scores of {size} ranks on the {device}"), move || {
                say_alike(&["scores", device], size).map(drop)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs as a rank that this program started, and prints one line with its result.
fn as_rank(words: &[&str]) -> ExitCode {
    // The launcher ends a job as soon as one process ends with an error, perhaps before others have printed their own. If all
    // ranks should print an error, each ends with exit code 0. MPI has ended on it by then, so no other rank waits for it.
    let failed = match words.first() {
        Some(&"fault" | &"differ") => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    };
    // Each rank writes once, and little: if ranks write several times, the launcher mixes their output.
    match catch_unwind(AssertUnwindSafe(|| Ranks::over_mpi(|ranks| program(ranks, words)))) {
        Ok(Ok(said)) => {
            println!("said: {}", digest(&said));
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => {
            println!("error: {error}");
            failed
        }
        Err(_) => {
            println!("panicked: see its complaints");
            failed
        }
    }
}

/// The work of a rank: the first word names the task, the second the device.
fn program(ranks: &Ranks, words: &[&str]) -> Result<String> {
    let [what, device, rest @ ..] = words else { panic!("{words:?} are too few") };
    let device = ranks.agree(opened(device))?;
    match (*what, rest) {
        ("train", []) => Ok(over_ranks::train(&device, ranks, &Data::new().weighted(), &training::rich())?.words()),
        ("train wide", []) => {
            let options = FitOptions { epochs: 2, ..training::rich() };
            Ok(over_ranks::train(&device, ranks, &Data::new().weighted().wide(), &options)?.words())
        }
        ("plain", []) => Ok(over_ranks::train(&device, ranks, &Data::new(), &training::rich())?.words()),
        ("ignored", []) => alike::with_ignored_rank(&device, ranks),
        ("failing calls", []) => calls::failing(&device, ranks),
        ("no room", []) => calls::without_room(ranks),
        ("scores", []) => over_ranks::scores_of(&device, ranks).map(|()| "well".into()),
        ("verify", []) => {
            let device = if ranks.rank() == 0 { device } else { Device::cpu() };
            let report = verify::run_over(ranks, &device, &verify::Options { full: false, ..Default::default() })?;
            assert!(report.passed() && report.reports().len() == ranks.size(), "{report}");
            Ok(report.to_string())
        }
        ("sum", []) => sums::added(ranks),
        ("one file", [path]) => files::mapped(&device, ranks, Path::new(path)),
        ("files", [folder]) => files::of_rank(&device, ranks, Path::new(folder)),
        ("fault", [fault, rank, step, run]) => {
            let here = rank.parse::<usize>().unwrap() == ranks.rank();
            let fault = here.then(|| faults::named(fault));
            let model = (&device, rank_faults::widths_of(run.parse().unwrap()));
            rank_faults::faulty(model, ranks, fault, step.parse().unwrap()).map(|epochs| epochs.to_string())
        }
        ("differ", [way]) => differ::train(&device, ranks, way),
        ("go on", [folder, epochs, seed]) => {
            let run = (epochs.parse().unwrap(), seed.parse().unwrap());
            Ok(ranks_resumed::go_on(&device, ranks, Path::new(folder), run)?.words())
        }
        ("held back", [checkpoint, epochs, seed]) => {
            let run = (epochs.parse().unwrap(), seed.parse().unwrap());
            Ok(format!("{:?}", checkpoints::held_back(&device, ranks, Path::new(checkpoint), run)?))
        }
        ("long", [checkpoint]) => checkpoints::long(&device, ranks, checkpoint),
        ("log", []) => logs::logged(&device, ranks),
        _ => panic!("{words:?} are unknown"),
    }
}

fn opened(device: &str) -> Result<Device> {
    if device == "gpu" { Device::gpu_with(&GpuOptions::default()) } else { Ok(Device::cpu()) }
}

/// Requires that all ranks print the same text, and returns it.
fn say_alike(words: &[&str], size: usize) -> Result<String, Failed> {
    say_alike_within(words, size, Duration::from_secs(300))
}

/// As [`say_alike`], with a deadline of the caller's.
fn say_alike_within(words: &[&str], size: usize, deadline: Duration) -> Result<String, Failed> {
    let ended = Job::start(size, words)?.ended(deadline)?;
    let said = ended.alike("said: ", size).filter(|_| ended.success);
    said.ok_or_else(|| format!("{words:?} on {size} ranks: {}", ended.text()).into())
}

/// A hash of a text that is equal in every process of this program.
fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Trainings over MPI have the bits of trainings over the same number of threads, also if parts of the gradients are added early.
fn as_threads(device: &str, size: usize) -> Result<(), Failed> {
    let (device_of_threads, rich) = (opened(device)?, training::rich());
    let wide = (Data::new().weighted().wide(), FitOptions { epochs: 2, ..rich.clone() });
    for (what, (data, options)) in [("train", (Data::new().weighted(), rich)), ("train wide", wide)] {
        let said = say_alike(&[what, device], size)?;
        let threads = over_ranks::train_over(&device_of_threads, size, &data, &options)?;
        assert_eq!(said, digest(&threads.words()), "{what}");
    }
    Ok(())
}
