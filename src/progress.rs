//! Progress bar of a training.

use std::fmt;
use std::ops::ControlFlow;

use indicatif::{ProgressDrawTarget, ProgressStyle};
use web_time::Instant;

use crate::error::Result;
use crate::mlp::{Callback, Epoch, History, Mlp, Run, Step};

/// A progress bar of a training on standard error. It shows loss, accuracy, rows per second and the time left. For each finished
/// epoch a line stays on the screen. The bar itself disappears at the end of the training; after an error it stays until it is
/// dropped. Nothing is printed if standard error is not a terminal. This needs the feature `progress`.
///
/// ```
/// use wgpu_mlp::{Device, FitOptions, Mlp, ProgressBar, Trainer};
/// let (options, mut bar) = (FitOptions::default(), ProgressBar::new());
/// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
/// Trainer::new(&options).callback(&mut bar).fit(&mut model, ndarray::array![[0.0], [1.0]].view(), &[0u8, 1])?;
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub struct ProgressBar {
    bar: indicatif::ProgressBar,
    run: Run,
    epoch: Instant,
}

impl Default for ProgressBar {
    fn default() -> Self {
        Self::to(ProgressDrawTarget::stderr())
    }
}

impl ProgressBar {
    /// A progress bar on standard error.
    pub fn new() -> Self {
        Self::default()
    }

    fn to(target: ProgressDrawTarget) -> Self {
        let bar = indicatif::ProgressBar::with_draw_target(None, target);
        ProgressBar { bar, run: Run::default(), epoch: Instant::now() }
    }
}

/// The bar's template. The bar counts the steps of all epochs, so that it shows the time left for the whole training.
const TEMPLATE: &str = "{prefix}  {bar:24}  {percent:>3} %  {msg}  {eta} left";

impl Callback for ProgressBar {
    fn on_start(&mut self, run: &Run) -> Result<()> {
        // A template that cannot be parsed would be a bug of this crate. It should not end a training.
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        // The number of steps can be larger than a u64, if only early stopping is to end the training.
        self.bar.set_length(run.epochs.saturating_mul(run.steps_per_epoch) as u64);
        // A bar that has shown an earlier training is started again.
        self.bar.reset();
        self.bar.set_position(run.first_epoch.saturating_mul(run.steps_per_epoch) as u64);
        self.bar.reset_eta();
        self.run = run.clone();
        self.epoch = Instant::now();
        Ok(())
    }

    fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
        self.bar.set_prefix(format!("epoch {}/{}", step.epoch + 1, self.run.epochs));
        let rate = step.rows as f64 / self.epoch.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        let accuracy = 100.0 * step.accuracy;
        self.bar.set_message(format!("loss {:.4}  accuracy {accuracy:.2} %  {rate:.0} rows/s", step.loss));
        let done = step.epoch.saturating_mul(self.run.steps_per_epoch).saturating_add(step.step + 1);
        self.bar.set_position(done as u64);
        Ok(ControlFlow::Continue(()))
    }

    fn on_epoch(&mut self, _: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        let (number, of, accuracy) = (epoch.index + 1, self.run.epochs, 100.0 * epoch.accuracy);
        let rate = epoch.rows as f64 / epoch.seconds.max(f64::MIN_POSITIVE);
        let held = epoch.validation_loss.zip(epoch.validation_accuracy);
        let held =
            held.map(|(loss, accuracy)| format!("  validation loss {loss:.4}  accuracy {:.2} %", 100.0 * accuracy));
        let held = held.unwrap_or_default();
        let line =
            format!("epoch {number}/{of}  loss {:.4}  accuracy {accuracy:.2} %{held}  {rate:.0} rows/s", epoch.loss);
        self.bar.println(line);
        self.epoch = Instant::now();
        Ok(ControlFlow::Continue(()))
    }

    fn on_end(&mut self, _: &History) -> Result<()> {
        self.bar.finish_and_clear();
        Ok(())
    }
}

impl fmt::Debug for ProgressBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProgressBar({} of {:?} steps)", self.bar.position(), self.bar.length())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::{Device, Error, FitOptions, Trainer};

    fn train(bar: &mut ProgressBar) {
        let (options, x) = (FitOptions { epochs: 3, batch: 1, ..Default::default() }, ndarray::array![[0.0], [1.0]]);
        let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap();
        let held = Trainer::new(&options).validation_set(x.view(), &[0u8, 1]);
        held.callback(bar).fit(&mut model, x.view(), &[0u8, 1]).unwrap();
    }

    #[test]
    fn a_line_stays_for_each_epoch_on_a_terminal() {
        let terminal = InMemoryTerm::new(30, 120);
        train(&mut ProgressBar::to(ProgressDrawTarget::term_like(Box::new(terminal.clone()))));
        let shown = terminal.contents();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 3, "{shown}");
        for (index, line) in lines.iter().enumerate() {
            assert!(line.starts_with(&format!("epoch {}/3  loss 0.", index + 1)), "{line}");
            assert!(line.contains("validation loss") && line.ends_with("rows/s"), "{line}");
        }
    }

    #[test]
    fn it_disappears_when_it_is_dropped_after_an_error() {
        let terminal = InMemoryTerm::new(30, 120);
        let mut bar = ProgressBar::to(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        let (options, x) = (FitOptions { epochs: 3, batch: 1, ..Default::default() }, ndarray::array![[0.0], [1.0]]);
        let mut fail = |_: &Mlp, _: &Epoch| Err(Error::NoForward { layer: "mine", call: "backward" });
        let trainer = Trainer::new(&options).callback(&mut bar).callback(&mut fail);
        let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap();
        assert!(trainer.fit(&mut model, x.view(), &[0u8, 1]).is_err());
        let shown = terminal.contents();
        assert!(shown.lines().count() == 2 && shown.contains("left"), "the line of an epoch, and the bar: {shown}");
        drop(bar);
        let shown = terminal.contents();
        assert!(shown.lines().count() == 1 && !shown.contains("left"), "the line of an epoch: {shown}");
    }

    #[test]
    fn it_is_drawn_in_a_second_training() {
        let terminal = InMemoryTerm::new(30, 120);
        let mut bar = ProgressBar::to(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        train(&mut bar);
        assert!(bar.bar.is_finished());
        let run = Run { epochs: 1, rows: 4, batch: 1, steps_per_epoch: 4, first_epoch: 0 };
        bar.on_start(&run).unwrap();
        assert!(!bar.bar.is_finished() && bar.bar.position() == 0);
    }

    #[test]
    fn it_counts_and_is_quiet_elsewhere() {
        let mut bar = ProgressBar::to(ProgressDrawTarget::hidden());
        train(&mut bar);
        assert!(bar.bar.is_hidden());
        assert_eq!((bar.bar.position(), bar.bar.length()), (6, Some(6)));
    }
}
