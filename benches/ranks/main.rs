//! Ranks: what a training step takes over 1, 2 and 4 ranks of MPI on this machine, and how much of it is communication.
//!
//! ```text
//! cargo bench --bench ranks --features mpi
//! cargo bench --bench ranks --features mpi -- --rounds 9
//! ```
//!
//! The bench starts itself by `mpirun`, each kind of job in turn, round by round, and tells medians. README.md beside this file
//! has a table of them, and what follows for networks.

mod jobs;
mod ranks;

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Parser;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The widths of the model.
const WIDTHS: [usize; 3] = [784, 512, 10];
/// The rows of a step on each rank.
const ROWS: usize = 4096;

/// Measures training steps over ranks of MPI, and their communication.
#[derive(Parser)]
struct Args {
    /// Rounds, of which the median is told
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,
    /// What a rank does that the bench has started
    #[arg(long, hide = true)]
    rank: Option<String>,
    /// What cargo passes to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<ExitCode> {
    let args = Args::parse();
    match &args.rank {
        Some(what) => ranks::run(what)?,
        None => told(args.rounds.get())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The number of all parameters.
fn parameters() -> usize {
    WIDTHS.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
}

/// Runs the jobs, and prints the tables.
fn told(rounds: usize) -> Outcome<()> {
    let bytes = 4 * parameters();
    println!("{WIDTHS:?}, {ROWS} rows a rank, CPU path, {bytes} bytes of gradients, medians of {rounds} rounds\n");
    let measured = jobs::measure(rounds)?;
    println!(
        "ranks   step ms   apart ms    rows/s   times one   sum ms   of a step   round us   MPI_Allreduce ms   sum of it   by layers ms"
    );
    let one = measured[0].step;
    for of in &measured {
        let (rows, faster) = (of.ranks as f64 * ROWS as f64 / of.step, of.ranks as f64 * one / of.step);
        println!(
            "{:>5}   {:>7.1}   {:>8.1}   {rows:>7.0}   {faster:>9.2}   {:>6.2}   {:>7.1} %   {:>8.1}   {:>16.2}   {:>9.2}   {:>12.2}",
            of.ranks,
            1e3 * of.step,
            1e3 * of.apart,
            1e3 * of.sum,
            100.0 * (of.sum + of.round) / of.step,
            1e6 * of.round,
            1e3 * of.allreduce,
            of.sum / of.allreduce,
            1e3 * of.by_layers,
        );
    }
    println!(
        "\n8 ranks of a network, computed: each sends and receives 2 · 7/8 of the bytes, in 14 messages, and one round of 7"
    );
    println!("Gbit/s   latency us   sum ms   step ms   times one");
    for (gigabits, latency) in [(10.0, 25e-6), (100.0, 3e-6)] {
        let sum = 2.0 * 7.0 / 8.0 * bytes as f64 / (gigabits * 1e9 / 8.0) + (14.0 + 7.0) * latency;
        let step = one + sum;
        println!(
            "{gigabits:>6}   {:>10.0}   {:>6.2}   {:>7.1}   {:>9.2}",
            1e6 * latency,
            1e3 * sum,
            1e3 * step,
            8.0 * one / step
        );
    }
    Ok(())
}
