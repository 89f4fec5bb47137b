//! Trains a classifier head on features in a file: 200,000 rows of 768 numbers, 1,000 classes.
//!
//! ```text
//! cargo run --release --features data --example head
//! cargo run --release --features data --example head -- --rows 20000 --features 128 --classes 100 --epochs 2
//! cargo run --release --features data --example head -- --dtype f16 --shards 4
//! cargo run --release --features data --example head -- --help
//! ```
//!
//! In practice a large network computes such rows once from all images or texts, and the head is trained on them in
//! seconds. Here they are made up once and kept in `target/head` (614 MB): a centre for each class, and noise. The
//! `.npy` file is mapped into memory and never read as a whole: training, validation and prediction take rows batch by
//! batch, so the program's own memory stays far below the size of the file. With `--dtype f16` it has half the size,
//! and with `--shards` it is several files.

#[path = "../common/mod.rs"]
mod common;
mod curves;
mod data;
mod memory;
mod table;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use wgpu_mlp::data::{npy_rows, read_npy_labels};
use wgpu_mlp::source::{RowSource, Selected, Shards};
use wgpu_mlp::{Device, FitOptions, History, Mlp, Optimizer, Plan, Schedule, Trainer};

use common::charts::{self, Picture};
use common::{Failure, Wanted};
use memory::Watch;
use table::Table;

/// The share of the rows that the head never sees in training: the last of the file.
const HELD_OUT: f64 = 0.1;

/// Trains a classifier head on a file of features that is never read as a whole.
#[derive(Parser)]
struct Args {
    /// Where to compute: auto takes a hardware GPU if there is one, gpu also a software driver
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    device: Wanted,
    #[command(flatten)]
    head: data::Wanted,
    /// Neurons in a hidden layer; 0 for none, which makes the head linear
    #[arg(long, default_value_t = 0)]
    hidden: usize,
    /// Passes over the rows
    #[arg(long, default_value = "5")]
    epochs: NonZeroUsize,
    /// Rows in a training step
    #[arg(long, default_value = "512")]
    batch: NonZeroUsize,
    /// Step size of the Adam optimizer to begin with; a half cosine takes it down to 0
    #[arg(long, default_value_t = 0.004)]
    learning_rate: f64,
    /// Folder for the picture
    #[arg(long, default_value = "target/head")]
    out: PathBuf,
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let mut out = io::stdout();
    let device = args.device.open()?;
    writeln!(out, "device  {}", device.info())?;
    let files = data::make_once(&args.head, &mut out)?;

    let watch = Watch::start();
    let shards = files.features.iter().map(|path| data::map(path)).collect::<Result<Vec<_>, _>>()?;
    let rows = shards.iter().zip(&files.features).map(|(bytes, path)| npy_rows(bytes, path));
    let features = Shards::new(rows.collect::<Result<Vec<_>, _>>()?)?;
    let labels = read_npy_labels(&files.labels)?;
    let megabytes = shards.iter().map(|bytes| bytes.len()).sum::<usize>() as f64 / 1e6;
    let count = if shards.len() == 1 { String::new() } else { format!(" and {} more shards", shards.len() - 1) };
    let first = files.features[0].display();
    writeln!(out, "data    {first}{count}, {}, mapped, {megabytes:.0} MB", args.head.dtype.name())?;
    let history = learn(&args, &device, &features, &labels, &mut out)?;
    match watch.peak() {
        Some(peak) => {
            let (own, all) = (peak.own as f64 / 1e6, peak.all as f64 / 1e6);
            writeln!(out, "memory      {own:.0} MB of the program's own at most; {all:.0} MB with the files' pages")?;
        }
        None => writeln!(out, "memory      not measured: this system has no /proc/self/status")?,
    }

    let draw: Picture<History> =
        |path, history| curves::draw(path, "A classifier head on features from a file", history);
    let pictures = [("curves.png", draw)];
    for path in charts::draw(&args.out, &history, &pictures)? {
        writeln!(out, "\nwrote {}", path.display())?;
    }
    Ok(())
}

/// Prints the plan, trains the head, and measures its accuracy and speed on the rows held out.
fn learn(
    args: &Args,
    device: &Device,
    features: &impl RowSource,
    labels: &[i64],
    out: &mut impl Write,
) -> Result<History, Failure> {
    let held_rows = ((HELD_OUT * labels.len() as f64).round() as usize).clamp(1, labels.len() - 1);
    let train_rows = labels.len() - held_rows;
    // Only the rows' numbers are kept: a row is copied only when it is needed.
    let train = Selected::new(features, (0..train_rows).collect())?;
    let held = Selected::new(features, (train_rows..labels.len()).collect())?;
    let (train_labels, held_labels) = labels.split_at(train_rows);

    let mut widths = vec![args.head.features.get(), args.hidden, args.head.classes.get()];
    widths.retain(|width| *width > 0);
    let options = FitOptions {
        epochs: args.epochs.get(),
        batch: args.batch.get(),
        optimizer: Optimizer::adam(args.learning_rate),
        schedule: Schedule::Cosine { epochs: args.epochs.get(), minimum: 0.0 },
        seed: args.head.seed,
        ..Default::default()
    };
    for plan in [Plan::training_step(device, &widths, &options)?, Plan::prediction(device, &widths, held_rows)?] {
        writeln!(out, "\n{plan}")?;
        if let Some(obstacle) = plan.obstacle {
            return Err(obstacle.into());
        }
    }

    writeln!(out, "\n{train_rows} rows to train on, {held_rows} held out, seed {}\n", args.head.seed)?;
    let mut model = Mlp::new(device, &widths, args.head.seed)?;
    let mut table = Table::new(train_rows);
    let history = Trainer::new(&options).validation_set(&held, held_labels).callback(&mut table).fit(
        &mut model,
        &train,
        train_labels,
    )?;

    let start = Instant::now();
    let classes = model.predict(&held)?;
    let predicted = held_rows as f64 / start.elapsed().as_secs_f64();
    let right = classes.iter().zip(held_labels).filter(|(class, label)| i64::from(**class) == **label).count();
    writeln!(out, "\naccuracy    {:.2} % of the rows held out", 100.0 * right as f64 / held_rows as f64)?;
    writeln!(out, "training    {:.0} rows a second", table.rows_a_second())?;
    writeln!(out, "prediction  {predicted:.0} rows a second")?;
    Ok(history)
}
