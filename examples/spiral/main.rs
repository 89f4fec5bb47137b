//! Teaches a small network the spiral of the book "Neural Networks from Scratch", then draws what it has learned.
//!
//! ```text
//! cargo run --release --example spiral
//! cargo run --release --example spiral -- --device cpu --seed 3 --points 200
//! cargo run --release --example spiral -- --help
//! ```
//!
//! Three arms of points, one class each, which no straight line separates. An [`Mlp`] with two hidden layers bends its
//! borders around them. As many fresh points, drawn in the same way, show whether it has learned the arms or only the
//! points: the arms overlap, so no classifier could be right on more than 91 % of fresh points. Two pictures go to
//! `target/spiral`: the plane as the network sees it, and the curves of the training. The exit code is 1 if the
//! training accuracy stays below `--goal`.

#[path = "../common/mod.rs"]
mod common;
mod curves;
mod points;
mod regions;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use wgpu_mlp::{Callback, Epoch, FitOptions, History, Mlp, Optimizer, Result, Schedule, Trainer};

use common::charts::{self, Picture};
use common::{Failure, Wanted};
use points::{CLASSES, Points};

/// A line of the table is printed this often.
const EPOCHS_A_LINE: usize = 10;

/// Teaches a small network three arms of a spiral and draws the results.
#[derive(Parser)]
struct Args {
    /// Where to compute: auto takes a hardware GPU if there is one, gpu also a software driver
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    device: Wanted,
    /// Seed of the points, the first weights and the order of the batches
    #[arg(long, default_value_t = 12)]
    seed: u64,
    /// Points of each class
    #[arg(long, default_value = "100")]
    points: NonZeroUsize,
    /// Passes over the points, at most
    #[arg(long, default_value = "2000")]
    epochs: NonZeroUsize,
    /// Points in a training step
    #[arg(long, default_value = "100")]
    batch: NonZeroUsize,
    /// Step size of the AdamW optimizer to begin with; a half cosine takes it down to 0
    #[arg(long, default_value_t = 0.02)]
    learning_rate: f64,
    /// Weight decay of the AdamW optimizer: more of it makes for smoother borders
    #[arg(long, default_value_t = 0.03)]
    weight_decay: f64,
    /// Neurons in each of the two hidden layers
    #[arg(long, default_value = "64")]
    hidden: NonZeroUsize,
    /// The training accuracy that ends the training; with many points it is out of reach, for the arms overlap
    #[arg(long, default_value_t = 0.96)]
    goal: f64,
    /// Folder for the pictures
    #[arg(long, default_value = "target/spiral")]
    out: PathBuf,
}

/// The data of the pictures.
struct Outcome {
    train: Points,
    history: History,
    model: Mlp,
    /// On the points that it was trained on, after each epoch.
    accuracies: Vec<f64>,
}

impl Outcome {
    fn accuracy(&self) -> f64 {
        self.accuracies.last().copied().unwrap_or(0.0)
    }
}

/// Prints the progress of the training, and ends it when the goal is reached: after that it would only memorise the
/// points.
struct UntilGoal<'a> {
    train: &'a Points,
    goal: f64,
    /// On the points to train on, after each epoch.
    accuracies: Vec<f64>,
}

impl Callback for UntilGoal<'_> {
    fn on_epoch(&mut self, model: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        // The epoch's own accuracy is a mean over its steps, between which the weights changed.
        let train = model.score(self.train.places.view(), &self.train.labels)?;
        self.accuracies.push(train);
        let (number, reached) = (epoch.index + 1, train >= self.goal);
        let mut printed = Ok(());
        if number == 1 || number.is_multiple_of(EPOCHS_A_LINE) || reached {
            let (train, fresh) = (100.0 * train, 100.0 * epoch.validation_accuracy.unwrap_or(f64::NAN));
            let line = format!("{number:>5}   {:>10.4}   {train:>12.2} %   {fresh:>12.2} %", epoch.loss);
            printed = writeln!(io::stdout(), "{line}");
        }
        // If standard output is closed, as with `| head`, nobody needs the training any more.
        Ok(if reached || printed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

fn main() -> Result<ExitCode, Failure> {
    let args = Args::parse();
    let mut out = io::stdout();
    let outcome = learn(&args, &mut out)?;

    let seconds: f64 = outcome.history.epochs.iter().map(|epoch| epoch.seconds).sum();
    let reached = outcome.accuracy() >= args.goal;
    let verdict = if reached { "reached" } else { "missed" };
    let (percent, goal) = (100.0 * outcome.accuracy(), 100.0 * args.goal);
    writeln!(out, "\ntraining accuracy {percent:.2} %: the goal of {goal:.0} % is {verdict}")?;
    let fresh = outcome.history.epochs.last().and_then(|epoch| epoch.validation_accuracy).unwrap_or(f64::NAN);
    writeln!(out, "on fresh points   {:.2} %", 100.0 * fresh)?;
    writeln!(out, "training          {seconds:.2} s\n")?;

    let pictures: [(&str, Picture<Outcome>); 2] = [("regions.png", regions::draw), ("curves.png", curves::draw)];
    for path in charts::draw(&args.out, &outcome, &pictures)? {
        writeln!(out, "wrote {}", path.display())?;
    }
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Trains a new network, and prints a line of the table from time to time.
fn learn(args: &Args, out: &mut impl Write) -> Result<Outcome, Failure> {
    let device = args.device.open()?;
    writeln!(out, "device  {}", device.info())?;

    // Both are drawn from one stream, so the fresh points differ from those to train on.
    let mut rng = points::rng(args.seed);
    let (train, fresh) = (Points::draw(args.points.get(), &mut rng), Points::draw(args.points.get(), &mut rng));
    writeln!(out, "data    {CLASSES} arms of {} points to train on, as many fresh ones", args.points)?;
    writeln!(out, "model   2-{0}-{0}-{CLASSES}, seed {1}\n", args.hidden, args.seed)?;

    let options = FitOptions {
        epochs: args.epochs.get(),
        batch: args.batch.get(),
        optimizer: Optimizer::adamw(args.learning_rate, args.weight_decay),
        schedule: Schedule::Cosine { epochs: args.epochs.get(), minimum: 0.0 },
        seed: args.seed,
        ..Default::default()
    };
    writeln!(out, "epoch   train loss   train accuracy   fresh accuracy")?;
    let mut model = Mlp::new(&device, &[2, args.hidden.get(), args.hidden.get(), CLASSES], args.seed)?;
    let mut until_goal = UntilGoal { train: &train, goal: args.goal, accuracies: Vec::new() };
    let history = Trainer::new(&options)
        .validation_set(fresh.places.view(), &fresh.labels)
        .callback(&mut until_goal)
        .fit(&mut model, train.places.view(), &train.labels)?;
    let accuracies = until_goal.accuracies;
    Ok(Outcome { train, history, model, accuracies })
}
