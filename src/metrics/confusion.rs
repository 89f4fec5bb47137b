//! The confusion matrix: how often each class is predicted for the rows of each true class.

use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::length::same_length;
use super::report::{ClassificationReport, Scores};
use crate::error::{Error, Result, Shape};
use crate::host_memory::host_filled;
use crate::targets::{Label, Targets};

/// The name of the rows in errors about a prediction that is not a class.
const PREDICTIONS: &str = "predictions";

/// A confusion matrix: how often each class was predicted for each true class. It is `classes x classes`, with a row
/// for each true class and a column for each predicted one, as in scikit-learn.
///
/// ```
/// use wgpu_mlp::metrics::ConfusionMatrix;
/// let matrix = ConfusionMatrix::new(&[0u8, 0, 1, 1], &[0u8, 1, 1, 1], 2)?;
/// assert_eq!(matrix.to_string(), "\
/// true \\ predicted  0  1
///                0  1  1
///                1  0  2
/// ");
/// assert_eq!(matrix.accuracy(), 0.75);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(into = "Plain", try_from = "Plain"))]
pub struct ConfusionMatrix {
    counts: Array2<u64>,
    names: Vec<String>,
}

impl ConfusionMatrix {
    /// The matrix that counts `labels`, the true classes, against `predictions`, row by row. Both are from 0 to
    /// `classes - 1`. Rows with the label -100 are left out.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a prediction for each label; [`Error::Target`] with the first row whose label,
    /// or else whose prediction, is not a class; [`Error::Empty`] without rows or classes; [`Error::Limit`] and
    /// [`Error::HostMemory`] for more classes than class ids can name, or than there is room for.
    ///
    /// ```
    /// use wgpu_mlp::{Error, metrics::ConfusionMatrix};
    /// let error = ConfusionMatrix::new(&[0u8, 1], &[0u32, 2], 2).unwrap_err();
    /// assert!(matches!(error, Error::Target { op: "predictions", row: 1, class: 2, classes: 2 }));
    /// ```
    pub fn new<L: Label, P: Label>(labels: &[L], predictions: &[P], classes: usize) -> Result<Self> {
        let op = "confusion_matrix";
        let rule = "there must be a prediction for each label";
        same_length(op, rule, Shape { rows: predictions.len(), cols: 1 }, labels.len())?;
        let labels = Targets::check(labels, classes)?;
        let predictions = Targets::check_of(PREDICTIONS, predictions, classes, Targets::IGNORED)?;
        let is_ignored = |id: &u32| *id == Targets::MARK;
        if let Some(row) = labels.iter().zip(&predictions).position(|(y, p)| is_ignored(p) && !is_ignored(y)) {
            return Err(Error::Target { op: PREDICTIONS, row, class: Targets::IGNORED.into(), classes });
        }
        let shape = Shape { rows: classes, cols: classes };
        let counts = host_filled(op, (classes, classes), 0)?;
        let values = counts.len();
        let mut counts =
            Array2::from_shape_vec((classes, classes), counts).map_err(|_| Error::Length { op, shape, values })?;
        for (label, prediction) in labels.iter().zip(&predictions) {
            // Ignored rows have an id beyond all classes, so that they are not counted.
            if let Some(count) = counts.get_mut([*label as usize, *prediction as usize]) {
                *count += 1;
            }
        }
        Ok(Self::from_counts(counts))
    }

    /// The matrix of these counts, a row and a column for each class.
    pub(crate) fn from_counts(counts: Array2<u64>) -> Self {
        let names = (0..counts.nrows()).map(|class| class.to_string()).collect();
        ConfusionMatrix { counts, names }
    }

    /// The counts row by row, moved out of the matrix: a copy would need their memory a second time.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn into_counts(self) -> Vec<u64> {
        // The counts of every matrix are a whole vector in row-major order, so this is all of it.
        self.counts.into_raw_vec_and_offset().0
    }

    /// The matrix with names for the classes. Tables print the names instead of the classes' numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a name for each class. The matrix is then dropped; [`ConfusionMatrix::set_names`] keeps it.
    pub fn with_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        self.set_names(names)?;
        Ok(self)
    }

    /// Names the classes as [`ConfusionMatrix::with_names`] does, in place. After an error the matrix has the names that it had
    /// before.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a name for each class.
    ///
    /// ```
    /// use wgpu_mlp::metrics::ConfusionMatrix;
    /// let mut matrix = ConfusionMatrix::new(&[0u8, 1], &[1u8, 1], 2)?;
    /// assert!(matrix.set_names(["cat"]).is_err());
    /// matrix.set_names(["cat", "dog"])?;
    /// assert_eq!(matrix.names(), ["cat", "dog"]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn set_names(&mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<()> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let rule = "there must be a name for each class";
        same_length("confusion_matrix", rule, self.counts.dim().into(), names.len())?;
        self.names = names;
        Ok(())
    }

    /// The counts, `classes x classes`: row = true class, column = predicted class.
    pub fn counts(&self) -> ArrayView2<'_, u64> {
        self.counts.view()
    }

    /// The names of the classes; their numbers where no names were given.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The accuracy: the share of rows on the diagonal. It is 0 if no row was counted.
    pub fn accuracy(&self) -> f64 {
        share(self.counts.diag().sum(), self.counts.sum())
    }

    /// The precision of each class: of the rows predicted as this class, the share that belongs to it. It is 0 for a class that was
    /// never predicted.
    pub fn precision(&self) -> Vec<f64> {
        self.scores().map(|scores| scores.precision).collect()
    }

    /// The recall of each class: of the class's rows, the share that was predicted as this class. It is 0 for a class without rows.
    pub fn recall(&self) -> Vec<f64> {
        self.scores().map(|scores| scores.recall).collect()
    }

    /// The F1 score of each class, the harmonic mean of precision and recall: 2 hits / (rows + predictions). It is 0
    /// for a class with neither rows nor predictions.
    pub fn f1(&self) -> Vec<f64> {
        self.scores().map(|scores| scores.f1).collect()
    }

    /// The support of each class: the number of its rows.
    pub fn support(&self) -> Vec<u64> {
        self.counts.sum_axis(Axis(1)).to_vec()
    }

    /// The report: precision, recall, F1 and support of each class, and their averages.
    pub fn report(&self) -> ClassificationReport {
        ClassificationReport::new(&self.names, self.scores().collect(), self.accuracy())
    }

    fn scores(&self) -> impl Iterator<Item = Scores> {
        let predicted = self.counts.sum_axis(Axis(0));
        self.support().into_iter().zip(predicted).enumerate().map(|(class, (support, predicted))| {
            let hits = self.counts[[class, class]];
            Scores {
                precision: share(hits, predicted),
                recall: share(hits, support),
                f1: share(2 * hits, support + predicted),
                support,
            }
        })
    }
}

/// The quotient of two counts; 0 where the divisor is 0.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The matrix as it is serialized, with a list of counts for each true class.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    names: Vec<String>,
    counts: Vec<Vec<u64>>,
}

#[cfg(feature = "serde")]
impl From<ConfusionMatrix> for Plain {
    fn from(matrix: ConfusionMatrix) -> Self {
        Plain { counts: matrix.counts.rows().into_iter().map(|row| row.to_vec()).collect(), names: matrix.names }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Plain> for ConfusionMatrix {
    type Error = Error;

    fn try_from(Plain { names, counts }: Plain) -> Result<Self> {
        let classes = names.len();
        let cols = counts.iter().map(Vec::len).find(|cols| *cols != classes).unwrap_or(classes);
        let (left, right) = (Shape { rows: counts.len(), cols }, Shape { rows: classes, cols: classes });
        if left != right {
            let rule = "there must be a row and a column for each name";
            return Err(Error::Shape { op: "confusion_matrix", rule, left, right });
        }
        let (counts, values) = (counts.concat(), classes * classes);
        // The scores compute twice the sum of the counts, which must not overflow.
        let (most, total) = (u64::MAX / 2, counts.iter().try_fold(0, |sum: u64, count| sum.checked_add(*count)));
        if total.is_none_or(|total| total > most) {
            let needed = total.unwrap_or(u64::MAX);
            return Err(Error::Limit { op: "confusion_matrix", what: "rows", needed, allowed: most });
        }
        let counts = Array2::from_shape_vec((classes, classes), counts);
        let counts = counts.map_err(|_| Error::Length { op: "confusion_matrix", shape: right, values })?;
        Ok(ConfusionMatrix { counts, names })
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CORNER: &str = "true \\ predicted";
        let chars = |text: &String| text.chars().count();
        let first = self.names.iter().map(chars).fold(CORNER.len(), usize::max);
        let width = |(name, counts): (&String, ArrayView1<'_, u64>)| {
            counts.iter().map(|count| count.to_string().len()).fold(chars(name), usize::max)
        };
        let widths: Vec<usize> = self.names.iter().zip(self.counts.columns()).map(width).collect();
        write!(f, "{CORNER:>first$}")?;
        for (name, width) in self.names.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        writeln!(f)?;
        for (name, counts) in self.names.iter().zip(self.counts.rows()) {
            write!(f, "{name:>first$}")?;
            for (count, width) in counts.iter().zip(&widths) {
                write!(f, "  {count:>width$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn counts_are_moved_out_and_not_copied() {
        let matrix = ConfusionMatrix::new(&[0u8, 0, 2], &[1u8, 1, 0], 3).unwrap();
        let place = matrix.counts().as_ptr();
        let counts = matrix.into_counts();
        assert_eq!(counts, [0, 2, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(counts.as_ptr(), place);
    }
}
