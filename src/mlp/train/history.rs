//! History of a training, epoch by epoch.

use std::fmt;
use std::io::Write;
use std::path::Path;

use crate::error::Result;
use crate::files::replace;
#[cfg(feature = "serde")]
use crate::saved_number as saved;

/// An epoch's results: loss and accuracy of one pass over the data. Each step is measured before its own update.
///
/// ```
/// # use wgpu_mlp::{Device, FitOptions, Mlp};
/// # let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
/// let history = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default())?;
/// assert_eq!(history.epochs[9].index, 9);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Epoch {
    /// The epoch's number, counted from 0.
    pub index: usize,
    /// The mean loss over the rows. It is weighted as in the loss, and without penalties.
    #[cfg_attr(feature = "serde", serde(serialize_with = "saved::write", deserialize_with = "saved::or_nan"))]
    pub loss: f64,
    /// The share of the rows that were classified correctly, whatever their weights are; NaN if no row was counted.
    #[cfg_attr(feature = "serde", serde(serialize_with = "saved::write", deserialize_with = "saved::or_nan"))]
    pub accuracy: f64,
    /// The mean loss over the validation rows after the epoch, if there are any.
    #[cfg_attr(
        feature = "serde",
        serde(default, serialize_with = "saved::write_some", deserialize_with = "saved::some")
    )]
    pub validation_loss: Option<f64>,
    /// The accuracy on the validation rows after the epoch.
    pub validation_accuracy: Option<f64>,
    /// The learning rate of the epoch's first step.
    pub learning_rate: f64,
    /// The number of rows that were not ignored.
    pub rows: u64,
    /// The number of rows whose loss was NaN or infinite.
    pub non_finite_rows: u64,
    /// The wall-clock time in seconds, including the validation.
    pub seconds: f64,
}

/// The history of a training: its epochs in order. It can be printed as a table.
///
/// ```
/// # use wgpu_mlp::{Device, FitOptions, Mlp};
/// # let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
/// let history = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default())?;
/// assert!(history.epochs[9].loss < history.epochs[0].loss);
/// println!("{history}");
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct History {
    /// The finished epochs.
    pub epochs: Vec<Epoch>,
    /// The best epoch, by the quantity that early stopping monitors. Without early stopping it is the epoch with the lowest
    /// validation loss, or with the lowest training loss if nothing was validated.
    pub best_epoch: Option<usize>,
}

impl History {
    fn validated(&self) -> bool {
        self.epochs.iter().any(|epoch| epoch.validation_loss.is_some())
    }

    /// The history as CSV: a line of names, then a line for each epoch. Epochs are counted from 0 as in [`Epoch::index`], while
    /// the printed table counts them from 1. If an epoch was not validated, the cells of its validation are empty.
    pub fn to_csv(&self) -> String {
        let names =
            "epoch,loss,accuracy,validation_loss,validation_accuracy,learning_rate,rows,non_finite_rows,seconds\n";
        let optional = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let line = |epoch: &Epoch| {
            let (loss, accuracy) = (optional(epoch.validation_loss), optional(epoch.validation_accuracy));
            let Epoch { learning_rate, rows, non_finite_rows, seconds, .. } = epoch;
            let held = format!("{loss},{accuracy}");
            format!(
                "{},{},{},{held},{learning_rate},{rows},{non_finite_rows},{seconds}\n",
                epoch.index, epoch.loss, epoch.accuracy
            )
        };
        std::iter::once(names.to_owned()).chain(self.epochs.iter().map(line)).collect()
    }

    /// Writes the history to a CSV file, which appears complete or not at all.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) when the file cannot be written.
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        replace(path.as_ref(), |file| file.write_all(self.to_csv().as_bytes()))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let validated = self.validated();
        write!(f, "epoch      loss  accuracy")?;
        if validated {
            write!(f, "  validation loss  accuracy")?;
        }
        writeln!(f, "  learning rate  seconds")?;
        for epoch in &self.epochs {
            write!(f, "{:>5}  {:>8.4}  {:>7.2} %", epoch.index.saturating_add(1), epoch.loss, 100.0 * epoch.accuracy)?;
            if let (Some(loss), Some(accuracy)) = (epoch.validation_loss, epoch.validation_accuracy) {
                write!(f, "  {loss:>15.4}  {:>6.2} %", 100.0 * accuracy)?;
            }
            let best = if validated && self.best_epoch == Some(epoch.index) { "  best" } else { "" };
            writeln!(f, "  {:>13.3e}  {:>7.2}{best}", epoch.learning_rate, epoch.seconds)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::error::Error;

    fn epoch(index: usize, held: Option<(f64, f64)>) -> Epoch {
        Epoch {
            index,
            loss: 1.25 / (index + 1) as f64,
            accuracy: 0.5,
            validation_loss: held.map(|held| held.0),
            validation_accuracy: held.map(|held| held.1),
            learning_rate: 1e-3,
            rows: 80,
            non_finite_rows: 0,
            seconds: 0.5,
        }
    }

    #[test]
    fn the_table_has_a_line_an_epoch_and_marks_the_best() {
        let plain = History { epochs: vec![epoch(0, None), epoch(1, None)], best_epoch: Some(1) };
        let want = "\
epoch      loss  accuracy  learning rate  seconds
    1    1.2500    50.00 %       1.000e-3     0.50
    2    0.6250    50.00 %       1.000e-3     0.50
";
        assert_eq!(plain.to_string(), want);
        let epochs = vec![epoch(0, Some((1.5, 0.25))), epoch(1, Some((f64::NAN, 1.0)))];
        let want = "\
epoch      loss  accuracy  validation loss  accuracy  learning rate  seconds
    1    1.2500    50.00 %           1.5000   25.00 %       1.000e-3     0.50  best
    2    0.6250    50.00 %              NaN  100.00 %       1.000e-3     0.50
";
        assert_eq!(History { epochs, best_epoch: Some(0) }.to_string(), want);
        assert_eq!(History::default().to_string().lines().count(), 1);
        // A history that is read from a file may have any number.
        let last = Epoch { index: usize::MAX, ..epoch(0, None) };
        assert!(History { epochs: vec![last], best_epoch: None }.to_string().contains(&format!("\n{}  ", usize::MAX)));
    }

    #[test]
    fn the_csv_has_the_same_and_empty_cells_where_nothing_was_validated() {
        let names =
            "epoch,loss,accuracy,validation_loss,validation_accuracy,learning_rate,rows,non_finite_rows,seconds";
        let epochs = vec![epoch(0, None), epoch(1, Some((1.5, 0.25)))];
        let history = History { epochs, best_epoch: None };
        let want = format!("{names}\n0,1.25,0.5,,,0.001,80,0,0.5\n1,0.625,0.5,1.5,0.25,0.001,80,0,0.5\n");
        assert_eq!(history.to_csv(), want);
        assert_eq!(History::default().to_csv(), format!("{names}\n"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.csv");
        history.save_csv(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), want);
        let missing = dir.path().join("no folder/history.csv");
        let error = history.save_csv(&missing).unwrap_err();
        assert!(matches!(&error, Error::File { path, .. } if *path == missing), "{error}");
    }
}
