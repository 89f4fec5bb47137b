//! The classification report: precision, recall and F1, class by class and on average.

use std::fmt;

/// Scores of a class, or averages over the classes: precision, recall and F1, as
/// [`ConfusionMatrix`](super::ConfusionMatrix) defines them.
///
/// ```
/// # use wgpu_mlp::metrics::{ConfusionMatrix, Scores};
/// let report = ConfusionMatrix::new(&[0u8, 1], &[1u8, 1], 2)?.report();
/// assert_eq!(report.classes[1].1, Scores { precision: 0.5, recall: 1.0, f1: 2.0 / 3.0, support: 1 });
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Scores {
    /// The precision: of the rows predicted as this class, the share that belongs to it.
    pub precision: f64,
    /// The recall: of the class's rows, the share predicted as this class.
    pub recall: f64,
    /// The F1 score: the harmonic mean of precision and recall.
    pub f1: f64,
    /// The support: the number of the class's rows, or of all rows for an average.
    pub support: u64,
}

/// The classification report of a [`ConfusionMatrix`](super::ConfusionMatrix). It prints as scikit-learn's
/// `classification_report`.
///
/// A quotient whose divisor is 0 is 0, as with scikit-learn's `zero_division=0`. The macro average weighs all classes
/// equally, also those without a row (scikit-learn leaves out classes that are neither in the labels nor predicted). The
/// weighted average weighs each class by its rows.
///
/// ```
/// use wgpu_mlp::metrics::ConfusionMatrix;
/// let (labels, predictions) = ([0u8, 1, 2, 2, 2], [0u8, 0, 2, 2, 1]);
/// let report = ConfusionMatrix::new(&labels, &predictions, 3)?.with_names(["ant", "bee", "cat"])?.report();
/// assert_eq!(report.to_string(), "              precision    recall  f1-score   support
///
///          ant       0.50      1.00      0.67         1
///          bee       0.00      0.00      0.00         1
///          cat       1.00      0.67      0.80         3
///
///     accuracy                           0.60         5
///    macro avg       0.50      0.56      0.49         5
/// weighted avg       0.70      0.60      0.61         5
/// ");
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ClassificationReport {
    /// The classes' names and scores.
    pub classes: Vec<(String, Scores)>,
    /// The accuracy: the share of rows that were predicted correctly.
    pub accuracy: f64,
    /// The macro average: the mean of the classes' scores.
    pub macro_average: Scores,
    /// The weighted average: the mean of the classes' scores, each weighted by the number of its rows.
    pub weighted_average: Scores,
}

impl ClassificationReport {
    pub(super) fn new(names: &[String], scores: Vec<Scores>, accuracy: f64) -> Self {
        let support = scores.iter().map(|class| class.support).sum();
        let average = |weight: &dyn Fn(&Scores) -> f64| {
            let total: f64 = scores.iter().map(weight).sum();
            let mean = |of: fn(&Scores) -> f64| {
                let sum: f64 = scores.iter().map(|class| weight(class) * of(class)).sum();
                if total == 0.0 { 0.0 } else { sum / total }
            };
            Scores { precision: mean(|s| s.precision), recall: mean(|s| s.recall), f1: mean(|s| s.f1), support }
        };
        let (macro_average, weighted_average) = (average(&|_| 1.0), average(&|class| class.support as f64));
        let classes = names.iter().cloned().zip(scores).collect();
        ClassificationReport { classes, accuracy, macro_average, weighted_average }
    }
}

impl fmt::Display for ClassificationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST: &str = "weighted avg";
        let width = self.classes.iter().map(|(name, _)| name.chars().count()).fold(LAST.len(), usize::max);
        let line = |f: &mut fmt::Formatter<'_>, name: &str, scores: &Scores| {
            let Scores { precision, recall, f1, support } = scores;
            writeln!(f, "{name:>width$}  {precision:>9.2} {recall:>9.2} {f1:>9.2} {support:>9}")
        };
        writeln!(f, "{:>width$}  {:>9} {:>9} {:>9} {:>9}\n", "", "precision", "recall", "f1-score", "support")?;
        for (name, scores) in &self.classes {
            line(f, name, scores)?;
        }
        let (accuracy, rows) = (self.accuracy, self.macro_average.support);
        writeln!(f, "\n{:>width$}  {:>9} {:>9} {accuracy:>9.2} {rows:>9}", "accuracy", "", "")?;
        line(f, "macro avg", &self.macro_average)?;
        line(f, LAST, &self.weighted_average)
    }
}
