//! Checks of the features and labels that a model is handed.

use super::model::Mlp;
use crate::error::{Error, Result, Shape};
use crate::host_memory::not_empty;
use crate::metrics::same_length;

// The checks take the numbers of rows and columns, so that a call asks its source for them only once: a source may grow between two
// questions.

impl Mlp {
    /// Refuses features without rows, and features that do not have one column for each input of the model.
    pub(super) fn check_inputs(&self, op: &'static str, (rows, cols): (usize, usize)) -> Result<()> {
        not_empty(op, rows, cols)?;
        if cols != self.inputs() {
            let right =
                Shape { rows: self.inputs(), cols: self.layers.first().map_or(0, |layer| layer.weights().cols()) };
            let rule = "features must have a column for each input of the first layer";
            return Err(Error::Shape { op, rule, left: Shape { rows, cols }, right });
        }
        Ok(())
    }
}

/// Checks that there is a label for each row of features with these numbers of rows and columns.
pub(super) fn check_rows(op: &'static str, dim: (usize, usize), labels: usize) -> Result<()> {
    same_length(op, "there must be a label for each row", dim.into(), labels)
}
