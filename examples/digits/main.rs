//! Trains a small network to read handwritten digits, then draws how it learned and where it still errs.
//!
//! ```text
//! cargo run --release --example digits
//! cargo run --release --example digits -- --device cpu --seed 3 --epochs 40
//! cargo run --release --example digits -- --help
//! ```
//!
//! The data are the 1,797 digits of `examples/data`, 8x8 pixels each. A fifth of every class is held back for the
//! test. The rest trains an [`Mlp`] with one hidden layer. Three pictures go to `target/digits`: the training curves,
//! the confusion matrix, and a sheet with every misread digit.

mod charts;
#[path = "../common/mod.rs"]
mod common;
mod data;

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use wgpu_mlp::{Device, Epoch, FitOptions, Mlp, Optimizer};

use common::{Failure, Wanted};
use data::{CLASSES, Digits, PIXELS};

/// The share of every class that the network never sees in training.
const TEST_SHARE: f64 = 0.2;

/// Trains a small network to read handwritten digits and draws the results.
#[derive(Parser)]
struct Args {
    /// Where to compute: auto takes a hardware GPU if there is one, gpu also a software driver
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    device: Wanted,
    /// Seed of the split, the first weights and the order of the batches
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Passes over the training digits
    #[arg(long, default_value = "40")]
    epochs: NonZeroUsize,
    /// Digits in a training step
    #[arg(long, default_value = "32")]
    batch: NonZeroUsize,
    /// Step size of the Adam optimizer
    #[arg(long, default_value_t = 0.003)]
    learning_rate: f64,
    /// Neurons in the hidden layer
    #[arg(long, default_value = "128")]
    hidden: NonZeroUsize,
    /// Folder for the pictures
    #[arg(long, default_value = "target/digits")]
    out: PathBuf,
}

/// What one epoch achieved. The train figures are means over its batches, taken while the weights still moved, so the
/// test accuracy, taken after the epoch, can be the higher one.
struct Progress {
    epoch: usize,
    train_loss: f64,
    train_accuracy: f64,
    test_accuracy: f64,
}

/// All that the pictures show.
struct Outcome {
    progress: Vec<Progress>,
    seconds: f64,
    test: Digits,
    /// The digit that the network reads in each test row.
    read: Vec<u32>,
    /// Test rows x digits.
    probabilities: Array2<f32>,
}

impl Outcome {
    /// The test rows that the network reads wrongly.
    fn misread(&self) -> Vec<usize> {
        let rows = 0..self.test.labels.len();
        rows.filter(|&row| self.read[row] != u32::from(self.test.labels[row])).collect()
    }

    fn test_accuracy(&self) -> f64 {
        1.0 - self.misread().len() as f64 / self.test.labels.len() as f64
    }
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let device = args.device.open()?;
    let mut out = io::stdout();
    writeln!(out, "device  {}", device.info())?;

    let mut rng = ChaCha12Rng::seed_from_u64(args.seed);
    let (train, test) = Digits::load()?.split(TEST_SHARE, &mut rng);
    writeln!(out, "data    {} digits to train on, {} for the test", train.labels.len(), test.labels.len())?;
    writeln!(out, "model   {PIXELS}-{}-{CLASSES}, seed {}\n", args.hidden, args.seed)?;

    let outcome = learn(&args, &device, &train, test)?;
    let misread = outcome.misread().len();
    writeln!(out, "\ntest accuracy {:.2} %", 100.0 * outcome.test_accuracy())?;
    writeln!(out, "misread       {misread} of {} digits", outcome.test.labels.len())?;
    writeln!(out, "training      {:.2} s\n", outcome.seconds)?;

    for path in charts::draw(&args.out, &outcome)? {
        writeln!(out, "wrote {}", path.display())?;
    }
    Ok(())
}

/// Trains a fresh network, prints a line for each epoch, and lets the network read the test digits.
fn learn(args: &Args, device: &Device, train: &Digits, test: Digits) -> Result<Outcome, Failure> {
    let options = FitOptions {
        epochs: args.epochs.get(),
        batch: args.batch.get(),
        optimizer: Optimizer::adam(args.learning_rate),
        seed: args.seed,
        ..Default::default()
    };
    let bar = progress_bar(args.epochs)?;
    let mut progress = Vec::new();
    let mut printed = print_line(&bar, HEADER);

    let mut model = Mlp::new(device, &[PIXELS, args.hidden.get(), CLASSES], args.seed)?;
    let history = model.fit_with(train.pixels.view(), &train.labels, &options, |model: &Mlp, epoch: &Epoch| {
        let line = Progress {
            epoch: epoch.index + 1,
            train_loss: epoch.loss,
            train_accuracy: epoch.accuracy,
            test_accuracy: model.score(test.pixels.view(), &test.labels)?,
        };
        bar.set_message(format!("loss {:.4}, test accuracy {:.2} %", line.train_loss, 100.0 * line.test_accuracy));
        bar.inc(1);
        printed = print_line(&bar, &line.to_string());
        progress.push(line);
        // With standard output gone, as behind `| head`, there is no one left to train for.
        Ok(if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    bar.finish_and_clear();
    printed?;

    Ok(Outcome {
        progress,
        seconds: history.epochs.iter().map(|epoch| epoch.seconds).sum(),
        read: model.predict(test.pixels.view())?,
        probabilities: model.predict_proba(test.pixels.view())?,
        test,
    })
}

const HEADER: &str = "epoch   train loss   train accuracy   test accuracy";

/// One line of the table, aligned with [`HEADER`].
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (train, test) = (100.0 * self.train_accuracy, 100.0 * self.test_accuracy);
        write!(f, "{:>5}   {:>10.4}   {train:>12.2} %   {test:>11.2} %", self.epoch, self.train_loss)
    }
}

/// A bar over the epochs on standard error. It draws nothing when that is not a terminal.
fn progress_bar(epochs: NonZeroUsize) -> Result<ProgressBar, Failure> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}")?;
    Ok(ProgressBar::new(epochs.get() as u64).with_style(style))
}

/// Prints a line above the bar, which would otherwise be left behind between the lines.
fn print_line(bar: &ProgressBar, line: &str) -> io::Result<()> {
    bar.suspend(|| writeln!(io::stdout(), "{line}"))
}
