//! Ranks: how long a training step takes over 1, 2 and 4 ranks of MPI on this machine, and how much of it is communication.
//!
//! ```text
//! cargo bench --bench ranks --features mpi
//! cargo bench --bench ranks --features mpi -- --rounds 9
//! cargo bench --bench ranks --features mpi -- --overlap
//! ```
//!
//! The bench starts itself with `mpirun`, each kind of job in turn, round by round, and prints medians and extremes. With
//! `--overlap` it measures instead what it saves to add gradients while others are still computed, in steps that are written out by
//! hand and in trainings. README.md beside this file has the figures, and conclusions for networks.

mod jobs;
mod overlap;
mod ranks;
mod trained;

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Parser;

use jobs::{Measured, Seconds};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The widths of the model.
const WIDTHS: [usize; 3] = [784, 512, 10];
/// The rows of a step on each rank.
const ROWS: usize = 4096;
/// The networks that are computed with or waited for, which are assumed: gigabits a second, and seconds of latency.
const NETWORKS: [(f64, f64); 2] = [(10.0, 25e-6), (100.0, 3e-6)];

/// Measures training steps over ranks of MPI, and their communication.
#[derive(Parser)]
struct Args {
    /// Rounds, of which the median is told
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,
    /// Measures steps that add gradients while others are still computed, and nothing else
    #[arg(long)]
    overlap: bool,
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
        None if args.overlap => overlap::told(args.rounds.get())?,
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
    let one = measured[0].step.median;
    for of in &measured {
        let (ranks, step, sum, allreduce) = (of.ranks as f64, of.step.median, of.sum.median, of.allreduce.median);
        println!(
            "{:>5}   {:>7.1}   {:>8.1}   {:>7.0}   {:>9.2}   {:>6.2}   {:>7.1} %   {:>8.1}   {:>16.2}   {:>9.2}   {:>12.2}",
            of.ranks,
            1e3 * step,
            1e3 * of.apart.median,
            ranks * ROWS as f64 / step,
            ranks * one / step,
            1e3 * sum,
            100.0 * sum / step,
            1e6 * of.round.median,
            1e3 * allreduce,
            sum / allreduce,
            1e3 * of.by_layers.median,
        );
    }
    println!("\nfrom the least to the most of all rounds:");
    println!("ranks   {:^17}   {:^17}   {:^17}   {:^17}", "step ms", "apart ms", "sum ms", "round us");
    for of in &measured {
        let range =
            |seconds: Seconds, unit: f64| format!("{:>7.2} - {:<7.2}", unit * seconds.least, unit * seconds.most);
        let [step, apart, sum] = [of.step, of.apart, of.sum].map(|seconds| range(seconds, 1e3));
        println!("{:>5}   {step}   {apart}   {sum}   {}", of.ranks, range(of.round, 1e6));
    }
    computed(bytes as f64, &measured);
    Ok(())
}

/// The seconds of a sum of so many bytes, with the round before it.
fn sum_of(bytes: f64, ranks: f64, latency: f64, bandwidth: f64) -> f64 {
    3.0 * (ranks - 1.0) * latency + 2.0 * (ranks - 1.0) / ranks * bytes / bandwidth
}

/// Prints estimates: for four ranks from two ranks, and for eight ranks from the figures of networks.
fn computed(bytes: f64, measured: &[Measured]) {
    let [one, two, four] = measured else { return };
    let (latency, one) = (two.round.median, one.step.median);
    let bandwidth = bytes / (two.sum.median - 3.0 * latency);
    println!("\nsum = 3 (ranks - 1) latency + 2 (ranks - 1) / ranks bytes / bandwidth, with its round");
    println!(
        "two ranks here: a latency of {:.1} us, {:.2} GB/s; four by this formula {:.2} ms, measured {:.2} ms",
        1e6 * latency,
        1e-9 * bandwidth,
        1e3 * sum_of(bytes, 4.0, latency, bandwidth),
        1e3 * four.sum.median
    );
    println!("\n8 ranks of a network, computed, with the rates and latencies of these rows, which are assumed");
    println!("Gbit/s   latency us   sum ms   step ms   times one");
    for (gigabits, latency) in NETWORKS {
        let sum = sum_of(bytes, 8.0, latency, gigabits * 1e9 / 8.0);
        let step = one + sum;
        println!(
            "{gigabits:>6}   {:>10.0}   {:>6.2}   {:>7.1}   {:>9.2}",
            1e6 * latency,
            1e3 * sum,
            1e3 * step,
            8.0 * one / step
        );
    }
}
