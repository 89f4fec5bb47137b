//! Checks of the features and labels that a model is handed.

use super::model::Mlp;
use crate::error::{Error, Result, Shape};
use crate::host_memory::not_empty;
use crate::source::{RowSource, dim_of};

impl Mlp {
    /// Refuses features without rows, and features that do not have one column for each input of the model.
    pub(super) fn check_inputs(&self, op: &'static str, x: &dyn RowSource) -> Result<()> {
        let (rows, cols) = dim_of(op, x)?;
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

/// Checks that there is a label for each row.
pub(super) fn check_rows(op: &'static str, x: &dyn RowSource, labels: usize) -> Result<()> {
    let dim = dim_of(op, x)?;
    if dim.0 != labels {
        let right = Shape { rows: labels, cols: 1 };
        return Err(Error::Shape { op, rule: "there must be a label for each row", left: dim.into(), right });
    }
    Ok(())
}
