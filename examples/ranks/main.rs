//! Trains the classifier head of the example `head` over the ranks of an MPI job, each on its share of mapped files.
//!
//! ```text
//! cargo build --release --features data,mpi --example ranks
//! mpirun -n 2 target/release/examples/ranks
//! mpirun -n 2 target/release/examples/ranks --rows 20000 --features 128 --classes 100 --epochs 2
//! target/release/examples/ranks --help
//! ```
//!
//! Rank 0 makes the data once, in a folder that all machines can read. The ranks of one machine take its GPUs in turn. With one
//! rank, or without `mpirun`, it is the training of one process. With more ranks the losses differ only by the order of
//! additions.

#[path = "../common/mod.rs"]
mod common;
#[path = "../head/curves.rs"]
mod curves;
#[path = "../head/data.rs"]
mod data;
#[path = "../head/table.rs"]
mod table;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use wgpu_mlp::data::{npy_rows, read_npy_labels};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::source::{Selected, Shards};
use wgpu_mlp::{Device, FitOptions, GpuOptions, History, MatrixUnits, Mlp, Optimizer, Schedule, Trainer};

use common::charts::{self, Picture};
use common::{Failure, Wanted};
use table::Table;

/// The share of the rows that the head never sees in training: the last of each rank's.
const HELD_OUT: f64 = 0.1;

/// Trains a classifier head over the ranks of an MPI job.
#[derive(Parser)]
struct Args {
    /// Where to compute: auto takes a hardware GPU if there is one, gpu also a software driver
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    device: Wanted,
    #[command(flatten)]
    head: data::Wanted,
    /// Passes over the rows
    #[arg(long, default_value = "5")]
    epochs: NonZeroUsize,
    /// Rows in a training step, of all ranks together
    #[arg(long, default_value = "512")]
    batch: NonZeroUsize,
    /// Step size of the Adam optimizer to begin with; a half cosine takes it down to 0
    #[arg(long, default_value_t = 0.004)]
    learning_rate: f64,
    /// Folder for the picture
    #[arg(long, default_value = "target/ranks")]
    out: PathBuf,
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    Ranks::over_mpi(|ranks| run(&args, ranks))
}

fn run(args: &Args, ranks: &Ranks) -> Result<(), Failure> {
    let is_first = ranks.rank() == 0;
    let options = GpuOptions { adapter_index: Some(ranks.local_rank()), ..Default::default() };
    let device = match args.device {
        Wanted::Auto => Device::of_rank(ranks, &options),
        Wanted::Cpu => Ok(Device::cpu()),
        Wanted::Gpu => Device::gpu_with(&options),
        Wanted::MatrixUnits => Device::gpu_with(&GpuOptions { matrix_units: MatrixUnits::On, ..options }),
    };
    let device = ranks.agree(device)?;
    // The others find the files made.
    let made = if is_first { data::make_once(&args.head, &mut io::stdout()).map(Some) } else { Ok(None) };
    ranks.agree(made.map_err(|failure| failure.0))?;
    let files = ranks.agree(data::make_once(&args.head, &mut io::sink()).map_err(|failure| failure.0))?;
    let shards = files.features.iter().map(|path| data::map(path)).collect::<Result<Vec<_>, _>>();
    let shards = ranks.agree(shards)?;
    let rows = shards.iter().zip(&files.features).map(|(bytes, path)| npy_rows(bytes, path));
    let features = ranks.agree(rows.collect::<Result<Vec<_>, _>>().and_then(Shards::new))?;
    let labels = ranks.agree(read_npy_labels(&files.labels))?;

    let own = ranks.share_of(labels.len());
    let held_from = own.end - (HELD_OUT * own.len() as f64).round() as usize;
    let train = Selected::new(&features, (own.start..held_from).collect())?;
    let held = Selected::new(&features, (held_from..own.end).collect())?;
    let options = FitOptions {
        epochs: args.epochs.get(),
        batch: args.batch.get(),
        optimizer: Optimizer::adam(args.learning_rate),
        schedule: Schedule::Cosine { epochs: args.epochs.get(), minimum: 0.0 },
        seed: args.head.seed,
        ..Default::default()
    };
    let mut model = Mlp::new(&device, &[args.head.features.get(), args.head.classes.get()], args.head.seed)?;
    let mut table = Table::new(labels.len() - (HELD_OUT * labels.len() as f64).round() as usize);
    let mut trainer = Trainer::new(&options).over(ranks).validation_set(&held, &labels[held_from..own.end]);
    if is_first {
        writeln!(io::stdout(), "{} ranks, {} rows\n", ranks.size(), labels.len())?;
        trainer = trainer.callback(&mut table);
    }
    let begun = Instant::now();
    let history = trainer.fit(&mut model, &train, &labels[own.start..held_from])?;
    let seconds = begun.elapsed().as_secs_f64();
    let accuracy = model.score_over(ranks, &held, &labels[held_from..own.end])?;
    tell(ranks, &device, own.len(), seconds)?;
    if is_first {
        writeln!(io::stdout(), "\naccuracy    {:.2} % of the rows held out, on all ranks", 100.0 * accuracy)?;
        writeln!(io::stdout(), "training    {:.0} rows a second", table.rows_a_second())?;
        let draw: Picture<History> =
            |path, history| curves::draw(path, "A classifier head, trained over ranks", history);
        let pictures = [("curves.png", draw)];
        for path in charts::draw(&args.out, &history, &pictures)? {
            writeln!(io::stdout(), "\nwrote {}", path.display())?;
        }
    }
    Ok(())
}

/// Prints a sentence for each rank, in their order.
fn tell(ranks: &Ranks, device: &Device, rows: usize, seconds: f64) -> Result<(), Failure> {
    if ranks.rank() == 0 {
        writeln!(io::stdout())?;
    }
    for rank in 0..ranks.size() {
        if rank == ranks.rank() {
            writeln!(io::stdout(), "rank {rank}: {rows} rows, {seconds:.2} s, {}", device.info().name)?;
        }
        // The next rank's line comes after this one.
        ranks.agree(Ok::<_, wgpu_mlp::Error>(()))?;
    }
    Ok(())
}
