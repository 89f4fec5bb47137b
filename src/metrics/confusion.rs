//! The confusion matrix: which class is taken for which.

use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::report::{ClassificationReport, Scores};
use super::{same_length, share};
use crate::error::{Error, Result, Shape};
use crate::matrix::host_room;
use crate::targets::{Label, Targets};

/// How often each class was taken for each: `classes x classes`, a row for each true class, a column for each predicted
/// one, as in scikit-learn.
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
    /// Counts `labels`, the true classes, against `predictions`, row by row; both run from 0 to `classes - 1`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a prediction for each label; [`Error::Target`] with the first row that holds no
    /// class, among the labels first; [`Error::Empty`] without rows or classes; [`Error::HostMemory`] for more classes
    /// than there is room for.
    ///
    /// ```
    /// use wgpu_mlp::{Error, metrics::ConfusionMatrix};
    /// let error = ConfusionMatrix::new(&[0u8, 1], &[0u32, 2], 2).unwrap_err();
    /// assert!(matches!(error, Error::Target { row: 1, class: 2, classes: 2 }));
    /// ```
    pub fn new<L: Label, P: Label>(labels: &[L], predictions: &[P], classes: usize) -> Result<Self> {
        let op = "confusion_matrix";
        let rule = "there must be a prediction for each label";
        same_length(op, rule, Shape { rows: predictions.len(), cols: 1 }, labels.len())?;
        let (labels, predictions) = (Targets::check(labels, classes)?, Targets::check(predictions, classes)?);
        let shape = Shape { rows: classes, cols: classes };
        let mut counts: Vec<u64> = host_room(op, classes, classes)?;
        counts.resize(classes * classes, 0);
        let values = counts.len();
        let mut counts =
            Array2::from_shape_vec((classes, classes), counts).map_err(|_| Error::Length { op, shape, values })?;
        for (label, prediction) in labels.iter().zip(&predictions) {
            // Rows without a target count for nothing.
            if let Some(count) = counts.get_mut([*label as usize, *prediction as usize]) {
                *count += 1;
            }
        }
        Ok(ConfusionMatrix { counts, names: (0..classes).map(|class| class.to_string()).collect() })
    }

    /// The same with names for the classes, which tables then print instead of their numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a name for each class.
    ///
    /// ```
    /// use wgpu_mlp::metrics::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::new(&[0u8, 1], &[0u8, 1], 2)?.with_names(["no", "yes"])?;
    /// assert!(matrix.to_string().contains("yes"));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn with_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let rule = "there must be a name for each class";
        same_length("confusion_matrix", rule, self.counts.dim().into(), names.len())?;
        Ok(ConfusionMatrix { names, ..self })
    }

    /// The counts: row = true class, column = predicted class.
    ///
    /// ```
    /// # use wgpu_mlp::metrics::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::new(&[0u8], &[1u8], 2)?.counts()[[0, 1]], 1);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn counts(&self) -> ArrayView2<'_, u64> {
        self.counts.view()
    }

    /// The classes' names, their numbers where none were given.
    ///
    /// ```
    /// # use wgpu_mlp::metrics::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::new(&[0u8], &[1u8], 2)?.names(), ["0", "1"]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The share of rows on the diagonal.
    ///
    /// ```
    /// # use wgpu_mlp::metrics::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::new(&[0u8, 1], &[1u8, 1], 2)?.accuracy(), 0.5);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn accuracy(&self) -> f64 {
        share(self.counts.diag().sum(), self.counts.sum())
    }

    /// Of the rows predicted to be of each class, the share that is; 0 for a class that was never predicted.
    ///
    /// ```
    /// # use wgpu_mlp::metrics::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::new(&[0u8, 1], &[1u8, 1], 2)?.precision(), [0.0, 0.5]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn precision(&self) -> Vec<f64> {
        self.scores().map(|scores| scores.precision).collect()
    }

    /// Of each class's rows, the share predicted to be of it; 0 for a class without rows.
    ///
    /// ```
    /// # use wgpu_mlp::metrics::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::new(&[0u8, 1], &[1u8, 1], 2)?.recall(), [0.0, 1.0]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn recall(&self) -> Vec<f64> {
        self.scores().map(|scores| scores.recall).collect()
    }

    /// The harmonic mean of each class's precision and recall, 2 hits / (rows + predictions); 0 for a class with neither.
    ///
    /// ```
    /// # use wgpu_mlp::metrics::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::new(&[0u8, 1], &[1u8, 1], 2)?.f1(), [0.0, 2.0 / 3.0]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn f1(&self) -> Vec<f64> {
        self.scores().map(|scores| scores.f1).collect()
    }

    /// Rows of each true class.
    ///
    /// ```
    /// # use wgpu_mlp::metrics::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::new(&[1u8, 1], &[0u8, 1], 2)?.support(), [0, 2]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn support(&self) -> Vec<u64> {
        self.counts.sum_axis(Axis(1)).to_vec()
    }

    /// All of these at once, with their averages over the classes.
    ///
    /// ```
    /// # use wgpu_mlp::metrics::ConfusionMatrix;
    /// let report = ConfusionMatrix::new(&[0u8, 1], &[1u8, 1], 2)?.report();
    /// assert_eq!((report.accuracy, report.macro_average.recall), (0.5, 0.5));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
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

/// The matrix as files have it: a list for each true class.
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
        // The scores add counts up, and double them.
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
