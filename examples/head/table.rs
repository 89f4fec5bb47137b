//! The progress of the training: a line for each epoch, and a bar between the lines.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use wgpu_mlp::{Callback, Epoch, Mlp, Result, Run, Step};

/// A [`Callback`] that prints, and separates the time of the training from that of the validation.
pub(crate) struct Table {
    rows: usize,
    bar: ProgressBar,
    /// The start of the current epoch.
    since: Instant,
    /// The time of its steps.
    epoch: Duration,
    /// The time of the steps of all epochs, and their rows.
    total: (Duration, usize),
}

impl Table {
    /// For epochs of so many rows.
    pub(crate) fn new(rows: usize) -> Self {
        let bar = ProgressBar::new(rows as u64);
        // Draws nothing if standard error is not a terminal.
        let bar = match ProgressStyle::with_template("{bar:30} {pos}/{len} rows  {msg}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Table { rows, bar, since: Instant::now(), epoch: Duration::ZERO, total: (Duration::ZERO, 0) }
    }

    /// Over all epochs, without the validation.
    pub(crate) fn rows_a_second(&self) -> f64 {
        self.total.1 as f64 / self.total.0.as_secs_f64()
    }

    fn print(&self, line: &str) -> io::Result<()> {
        self.bar.suspend(|| writeln!(io::stdout(), "{line}"))
    }
}

impl Callback for Table {
    fn on_start(&mut self, _: &Run) -> Result<()> {
        self.since = Instant::now();
        // A closed standard output ends the training after the first epoch.
        self.print("epoch   train loss   accuracy   held-out loss   accuracy    rows/s   seconds").ok();
        Ok(())
    }

    fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
        self.bar.set_position(step.rows as u64);
        self.bar.set_message(format!("loss {:.4}", step.loss));
        // The epoch's loss has been read, so the device has finished the epoch.
        self.epoch = self.since.elapsed();
        Ok(ControlFlow::Continue(()))
    }

    fn on_epoch(&mut self, _: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        self.total = (self.total.0 + self.epoch, self.total.1 + self.rows);
        let held_loss = epoch.validation_loss.unwrap_or(f64::NAN);
        let held_accuracy = 100.0 * epoch.validation_accuracy.unwrap_or(f64::NAN);
        let printed = self.print(&format!(
            "{:>5}   {:>10.4}   {:>6.2} %   {held_loss:>13.4}   {held_accuracy:>6.2} %   {:>7.0}   {:>7.2}",
            epoch.index + 1,
            epoch.loss,
            100.0 * epoch.accuracy,
            self.rows as f64 / self.epoch.as_secs_f64(),
            epoch.seconds
        ));
        self.since = Instant::now();
        Ok(if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }
}
