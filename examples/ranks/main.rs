//! Trains the classifier head of the example `head` over the ranks of an MPI job, each on its share of one mapped file.
//!
//! ```text
//! cargo build --release --features data,mpi --example ranks
//! mpirun -n 2 target/release/examples/ranks
//! mpirun -n 2 target/release/examples/ranks --rows 20000 --features 128 --classes 100 --epochs 2
//! target/release/examples/ranks --help
//! ```
//!
//! Rank 0 makes the data, once; a folder that all machines see takes them. The ranks of one machine take its GPUs in turn.
//! With one rank, or without `mpirun`, it is the training of one process; with more the losses are the same but for the order
//! of additions.

#[path = "../common/mod.rs"]
mod common;
#[path = "../head/data.rs"]
mod data;
#[path = "../head/table.rs"]
mod table;

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use memmap2::Mmap;
use wgpu_mlp::data::{npy_rows, read_npy_labels};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::source::Selected;
use wgpu_mlp::{Device, FitOptions, GpuOptions, History, MatrixUnits, Mlp, Optimizer, Schedule, Trainer};

use common::charts::panels::{self, Curve, Panel};
use common::charts::{self, Drawn, Picture};
use common::{Failure, Wanted};
use data::Dtype;
use table::Table;

/// The share of the rows that the head never sees in training: the last of each rank's.
const HELD_OUT: f64 = 0.1;

/// Trains a classifier head over the ranks of an MPI job.
#[derive(Parser)]
struct Args {
    /// Where to compute: auto takes a hardware GPU if there is one, gpu also a software driver
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    device: Wanted,
    /// Seed of the data, the first weights and the order of the batches
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Rows of the file; each rank holds out the last tenth of its share
    #[arg(long, default_value = "200000")]
    rows: NonZeroUsize,
    /// Numbers in a row
    #[arg(long, default_value = "768")]
    features: NonZeroUsize,
    /// Classes
    #[arg(long, default_value = "1000")]
    classes: NonZeroUsize,
    /// Type of the numbers in the file; f16 rounds them
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Files that the rows are divided among; the ranks share the first
    #[arg(long, default_value = "1", hide = true)]
    shards: NonZeroUsize,
    /// Passes over the rows
    #[arg(long, default_value = "5")]
    epochs: NonZeroUsize,
    /// Rows in a training step, of all ranks together
    #[arg(long, default_value = "512")]
    batch: NonZeroUsize,
    /// Step size of the Adam optimizer to begin with; a half cosine takes it down to 0
    #[arg(long, default_value_t = 0.004)]
    learning_rate: f64,
    /// Folder for the data, which all ranks see
    #[arg(long, default_value = "target/head")]
    data: PathBuf,
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
    let made = if is_first { data::make_once(args, &mut io::stdout()).map(Some) } else { Ok(None) };
    ranks.agree(made.map_err(|failure| failure.0))?;
    let files = ranks.agree(data::make_once(args, &mut io::sink()).map_err(|failure| failure.0))?;
    let bytes = ranks.agree(map(&files.features[0]))?;
    let features = ranks.agree(npy_rows(&bytes, &files.features[0]))?;
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
        seed: args.seed,
        ..Default::default()
    };
    let mut model = Mlp::new(&device, &[args.features.get(), args.classes.get()], args.seed)?;
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
        let pictures: [(&str, Picture<History>); 1] = [("curves.png", draw)];
        for path in charts::draw(&args.out, &history, &pictures)? {
            writeln!(io::stdout(), "\nwrote {}", path.display())?;
        }
    }
    Ok(())
}

/// Prints a line for each rank, in their order.
fn tell(ranks: &Ranks, device: &Device, rows: usize, seconds: f64) -> Result<(), Failure> {
    if ranks.rank() == 0 {
        writeln!(io::stdout(), "\nrank      rows   seconds   device")?;
    }
    for rank in 0..ranks.size() {
        if rank == ranks.rank() {
            writeln!(io::stdout(), "{rank:>4}   {rows:>7}   {seconds:>7.2}   {}", device.info().name)?;
        }
        // The next rank's line comes behind this one.
        ranks.agree(Ok::<_, wgpu_mlp::Error>(()))?;
    }
    Ok(())
}

/// A file as bytes in memory, which the system reads when they are asked for.
fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: nobody changes the file while the mapping lives: rank 0 wrote it whole, under another name first.
    #[allow(unsafe_code, reason = "memory-mapped files can be changed by others; see above")]
    unsafe {
        Mmap::map(&file)
    }
}

fn draw(path: &Path, history: &History) -> Drawn {
    let epochs = || history.epochs.iter();
    let train = Curve::train(epochs().map(|epoch| epoch.loss));
    let held = Curve::held_out("held out", epochs().filter_map(|epoch| epoch.validation_loss));
    let loss = Panel::loss(vec![train, held]);
    let train = Curve::train(epochs().map(|epoch| 100.0 * epoch.accuracy));
    let shares = epochs().filter_map(|epoch| epoch.validation_accuracy);
    let held = Curve::held_out("held out", shares.map(|share| 100.0 * share));
    let accuracy = Panel::accuracy("rows in the right class, %", vec![train, held]);
    panels::draw(path, "A classifier head, trained over ranks", &loss, &accuracy)
}
