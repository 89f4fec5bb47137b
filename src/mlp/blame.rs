//! Where a step went wrong: the first op, layer and row with NaN or infinity.

use ndarray::Array2;

use super::Mlp;
use super::rows::Batch;
use crate::error::{Error, Result};

/// Which step it was.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub epoch: usize,
    pub step: usize,
    /// The caller's numbers of the batch's rows.
    pub rows: &'a [usize],
}

impl Mlp {
    /// Goes through the batch's forward pass, with the parameters as they were before the step, until something is not
    /// finite. `bad_row` is the batch's first row with a loss that is not.
    pub(super) fn blame(&self, batch: &Batch, place: Place<'_>, bad_row: Option<u64>) -> Result<Error> {
        let Place { epoch, step, rows } = place;
        let error = |op, layer, row: Option<usize>| {
            let row = row.and_then(|row| rows.get(row)).copied();
            Error::NonFinite { op, layer, row, epoch, step }
        };
        if let Some(row) = first_bad_row(&batch.x.to_array()?) {
            return Ok(error("features", 0, Some(row)));
        }
        let mut activations = batch.x.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            for parameter in [layer.weights(), layer.biases()] {
                if first_bad_row(&parameter.to_array()?).is_some() {
                    return Ok(error("update", index, None));
                }
            }
            activations = layer.infer(&activations)?;
            if let Some(row) = first_bad_row(&activations.to_array()?) {
                return Ok(error("linear", index, Some(row)));
            }
        }
        let last = self.layers.len().saturating_sub(1);
        Ok(error("softmax_cross_entropy", last, bad_row.and_then(|row| usize::try_from(row).ok())))
    }

    /// An error where a parameter is not finite: the layer.
    pub(super) fn bad_layer(&self) -> Option<usize> {
        let bad = |values: &Array2<f32>| values.iter().any(|value| !value.is_finite());
        self.copy.iter().position(|layer| bad(&layer.weights) || bad(&layer.biases))
    }
}

fn first_bad_row(values: &Array2<f32>) -> Option<usize> {
    values.rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite()))
}
