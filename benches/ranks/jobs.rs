//! The jobs of the bench: this program as ranks, started by `mpirun`.

use std::env;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use crate::Outcome;

/// The seconds of all rounds of a job.
#[derive(Clone, Copy)]
pub struct Seconds {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

/// The measurements with a number of ranks.
pub struct Measured {
    pub ranks: usize,
    /// A training step.
    pub step: Seconds,
    /// A step when as many independent trainings run at the same time, which shows how fast the machine is with this number
    /// of processes.
    pub apart: Seconds,
    /// The sum of all gradients, with the round before it.
    pub sum: Seconds,
    /// Sums layer by layer, with a round before each.
    pub by_layers: Seconds,
    /// A round of messages.
    pub round: Seconds,
    /// `MPI_Allreduce` of as many bytes.
    pub allreduce: Seconds,
}

/// Runs all jobs in turn, and repeats this so many times.
pub fn measure(rounds: usize) -> Outcome<Vec<Measured>> {
    const KINDS: [&str; 6] = ["step", "apart", "sum", "layers", "round", "allreduce"];
    let sizes = [1, 2, 4];
    let mut seconds = vec![[const { Vec::new() }; KINDS.len()]; sizes.len()];
    for _ in 0..rounds {
        for (of_size, ranks) in seconds.iter_mut().zip(sizes) {
            for (all, kind) in of_size.iter_mut().zip(KINDS) {
                all.extend(run(ranks, kind)?);
            }
        }
    }
    let measured = |(of_size, ranks): (&mut [Vec<f64>; 6], usize)| {
        let [step, apart, sum, by_layers, round, allreduce] = of_size.each_mut().map(|all| of_all(all));
        Measured { ranks, step, apart, sum, by_layers, round, allreduce }
    };
    Ok(seconds.iter_mut().zip(sizes).map(measured).collect())
}

/// The least, the median and the most of all rounds. There must be at least one round.
pub fn of_all(all: &mut [f64]) -> Seconds {
    all.sort_by(f64::total_cmp);
    Seconds { least: all[0], median: all[all.len() / 2], most: all[all.len() - 1] }
}

/// Runs one job, each rank on a processor of its own if there are enough, and returns the seconds that rank 0 prints.
pub fn run(ranks: usize, kind: &str) -> Outcome<Vec<f64>> {
    let processors = available_parallelism().map_or(1, usize::from);
    // A core with several hardware threads counts as several processors here.
    let binding = if ranks <= processors { "hwthread" } else { "none" };
    // A rank that waits for a message tries all the time to receive it. Where another of its threads computes meanwhile, it should
    // give way to that thread.
    let gives_way = kind.starts_with("overlap").then_some(("OMPI_MCA_mpi_yield_when_idle", "1"));
    let output = Command::new("mpirun")
        .args(["--oversubscribe", "--use-hwthread-cpus", "--bind-to", binding, "-n", &ranks.to_string()])
        .arg(env::current_exe()?)
        .args(["--rank", kind])
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .envs(gives_way)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| line.strip_prefix("seconds ")).ok_or("a job told nothing")?;
    Ok(told.split_whitespace().map(str::parse::<f64>).collect::<Result<_, _>>()?)
}
