//! Trains a small network to read handwritten digits, then draws how it learned and which digits it misreads.
//!
//! ```text
//! cargo run --release --example digits
//! cargo run --release --example digits -- --device cpu --seed 3 --hidden 64
//! cargo run --release --example digits -- --splits 5
//! cargo run --release --example digits -- --help
//! ```
//!
//! The data are the 1,797 digits of `examples/data`, 8x8 pixels each. A fifth of every class is held back for the test,
//! and a tenth of the rest to decide when the training no longer improves the network. The remaining digits train an
//! [`Mlp`] with one hidden layer. Three pictures go to `target/digits`: the training curves, the confusion matrix, and
//! a sheet with every misread digit.
//!
//! With `--splits` it trains once on each of so many splits, and writes the splits to a file for
//! `examples/digits/scikit_learn.py`, which trains scikit-learn's `MLPClassifier` on them.

mod charts;
#[path = "../common/mod.rs"]
mod common;
mod data;
mod splits;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Parser;
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use wgpu_mlp::{Callback, Device, EarlyStopping, Epoch, FitOptions, History, Mlp, Optimizer, Trainer};

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
    /// Passes over the training digits, at most
    #[arg(long, default_value = "200")]
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
    /// Train on so many splits instead, drawn by the seeds 0, 1, 2 and so on, and print how well each went
    #[arg(long, conflicts_with = "seed")]
    splits: Option<NonZeroUsize>,
}

impl Args {
    fn options(&self, seed: u64) -> FitOptions {
        FitOptions {
            epochs: self.epochs.get(),
            batch: self.batch.get(),
            optimizer: Optimizer::adam(self.learning_rate),
            validation_fraction: 0.1,
            early_stopping: Some(EarlyStopping { patience: 20, ..Default::default() }),
            seed,
            ..Default::default()
        }
    }

    fn widths(&self) -> [usize; 3] {
        [PIXELS, self.hidden.get(), CLASSES]
    }
}

/// The data of the pictures.
struct Outcome {
    history: History,
    test: Digits,
    /// The network's prediction for each test row.
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

    if let Some(splits) = args.splits {
        return splits::train_on_each(&args, &device, splits.get());
    }

    let digits = Digits::load()?;
    let (train, test) = digits.split_rows(TEST_SHARE, &mut ChaCha12Rng::seed_from_u64(args.seed));
    let (train, test) = (digits.select(&train), digits.select(&test));
    writeln!(out, "data    {} digits to train on, {} for the test", train.labels.len(), test.labels.len())?;
    writeln!(out, "model   {PIXELS}-{}-{CLASSES}, seed {}\n", args.hidden, args.seed)?;

    let outcome = learn(&args, &device, &train, test)?;
    let misread = outcome.misread().len();
    let seconds: f64 = outcome.history.epochs.iter().map(|epoch| epoch.seconds).sum();
    writeln!(out, "\ntest accuracy {:.2} %", 100.0 * outcome.test_accuracy())?;
    writeln!(out, "misread       {misread} of {} digits", outcome.test.labels.len())?;
    writeln!(out, "training      {seconds:.2} s, {} epochs\n", outcome.history.epochs.len())?;

    for path in charts::draw(&args.out, &outcome)? {
        writeln!(out, "wrote {}", path.display())?;
    }
    Ok(())
}

/// Trains a new network, prints a line for each epoch, and predicts the test digits.
fn learn(args: &Args, device: &Device, train: &Digits, test: Digits) -> Result<Outcome, Failure> {
    let options = args.options(args.seed);
    let mut table = Table { printed: writeln!(io::stdout(), "{HEADER}") };
    let mut model = Mlp::new(device, &args.widths(), args.seed)?;
    let history = Trainer::new(&options).callback(&mut table).fit(&mut model, train.pixels.view(), &train.labels)?;
    table.printed?;
    Ok(Outcome {
        history,
        read: model.predict(test.pixels.view())?,
        probabilities: model.predict_proba(test.pixels.view())?,
        test,
    })
}

const HEADER: &str = "epoch   train loss   train accuracy   validation loss   validation accuracy";

/// Prints a line for each epoch, aligned with [`HEADER`].
struct Table {
    printed: io::Result<()>,
}

impl Callback for Table {
    fn on_epoch(&mut self, _: &Mlp, epoch: &Epoch) -> wgpu_mlp::Result<ControlFlow<()>> {
        let held = epoch.validation_loss.zip(epoch.validation_accuracy);
        let (held_loss, held_accuracy) = held.unwrap_or((f64::NAN, f64::NAN));
        let (train, held_accuracy) = (100.0 * epoch.accuracy, 100.0 * held_accuracy);
        self.printed = writeln!(
            io::stdout(),
            "{:>5}   {:>10.4}   {train:>12.2} %   {held_loss:>15.4}   {held_accuracy:>17.2} %",
            epoch.index + 1,
            epoch.loss
        );
        // If standard output is closed, as with `| head`, nobody needs the training any more.
        Ok(if self.printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }
}
