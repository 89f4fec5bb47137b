//! Trials of the GPU tests and the programs that run them, subject by subject.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed};
use wgpu_mlp::{Device, GpuOptions};

use super::{device, full, say, skipping};

/// Trials that take more seconds than this print how long they took.
const LONG: u64 = 15;

/// One test of a subject, by its name within the subject.
pub struct Trial {
    name: String,
    test: Box<dyn FnOnce() -> Result<(), Failed> + Send>,
    ignored: bool,
}

impl Trial {
    pub fn test(name: impl Into<String>, test: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
        Trial { name: name.into(), test: Box::new(test), ignored: false }
    }

    pub fn with_ignored_flag(self, ignored: bool) -> Trial {
        Trial { ignored, ..self }
    }
}

/// A trial on a device opened with these options. If the user asked to skip it, it is skipped and says so.
pub fn trial(
    name: impl Into<String>,
    options: GpuOptions,
    test: impl FnOnce(&Device) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    Trial::test(name, move || test(&device(&options)?)).with_ignored_flag(skipping())
}

/// A trial that prints why it is left out, if there is a reason.
pub fn trial_unless(
    reason: Option<&str>,
    name: &str,
    options: GpuOptions,
    test: impl FnOnce(&Device) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match reason {
        Some(reason) => {
            say(&format!("skipped: {name}, since {reason}"));
            trial(name, options, test).with_ignored_flag(true)
        }
        None => trial(name, options, test),
    }
}

/// The reason why long trials are left out, if they are.
pub fn not_full() -> Option<&'static str> {
    (!full()).then_some("WGPU_MLP_FULL is not set")
}

/// The subjects of a test program: the name of each, and its trials.
pub type Subject = (&'static str, fn() -> Vec<Trial>);

/// Runs a program's subjects. A trial is called `subject::name`; a filter `subject::` takes that subject alone, and the
/// others neither open a device nor say what they skip.
pub fn run(subjects: &[Subject]) -> ExitCode {
    run_with(Arguments::from_args(), subjects)
}

/// Runs a program's subjects with one trial at a time.
pub fn run_one_by_one(subjects: &[Subject]) -> ExitCode {
    run_with(Arguments { test_threads: Some(1), ..Arguments::from_args() }, subjects)
}

fn run_with(mut arguments: Arguments, subjects: &[Subject]) -> ExitCode {
    let begins = |filter: &str, subject: &Subject| filter.split_once("::").is_some_and(|(name, _)| name == subject.0);
    let by_filter = arguments.filter.clone().unwrap_or_default();
    let named = subjects.iter().any(|subject| begins(&by_filter, subject));
    let left_out = |subject: &Subject| {
        let skipped = arguments.skip.iter().any(|skip| skip.strip_suffix("::") == Some(subject.0));
        skipped || (named && !begins(&by_filter, subject))
    };
    let chosen = subjects.iter().filter(|subject| !left_out(subject));
    let trials: Vec<_> =
        chosen.flat_map(|(subject, trials)| trials().into_iter().map(|t| named_in(subject, t))).collect();
    if skipping() {
        say(&format!("skipped: {} GPU tests, since WGPU_MLP_SKIP_GPU is set", trials.len()));
    }
    // A software driver uses several cores by itself, so that two threads are enough. Through GL all tests run on the main
    // thread: Mesa frees its data of a thread when that thread ends, and sometimes a second time if the process ends at the
    // same moment.
    let gl = env::var("WGPU_MLP_STACK").as_deref() == Ok("gl");
    arguments.test_threads.get_or_insert(if gl { 1 } else { 2 });
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn named_in(subject: &str, trial: Trial) -> libtest_mimic::Trial {
    let name = format!("{subject}::{}", trial.name);
    let (timed, test) = (name.clone(), trial.test);
    let run = move || {
        let begun = Instant::now();
        let outcome = test();
        let seconds = begun.elapsed().as_secs();
        if seconds >= LONG {
            say(&format!("{timed}: {seconds} s"));
        }
        outcome
    };
    libtest_mimic::Trial::test(name, run).with_ignored_flag(trial.ignored)
}
