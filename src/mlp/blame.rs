//! Where a step went wrong: the first op, layer and row with NaN or infinity.

use ndarray::Array2;

use super::Mlp;
use super::rows::Batch;
use crate::error::{Error, Result};
use crate::layers::Dense;
use crate::matrix::Matrix;
use crate::ops::{self, Pending};
use crate::waiting::Waiting;

/// Which step it was.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub epoch: usize,
    pub step: usize,
    /// The caller's numbers of the batch's rows.
    pub rows: &'a [usize],
}

impl Place<'_> {
    /// What went wrong there, for the batch's row of this number.
    fn error(&self, op: &'static str, layer: usize, row: Option<usize>) -> Error {
        let row = row.and_then(|row| self.rows.get(row)).copied();
        Error::NonFinite { op, layer, row, epoch: self.epoch, step: self.step }
    }
}

impl Mlp {
    /// Goes through the batch's forward pass, with the parameters as they were before the step, until something is not
    /// finite. Where everything is, it was `else_op` of this layer, and for a loss the batch's first row whose own is not.
    pub(super) async fn blame(
        &self,
        waiting: Waiting,
        batch: &Batch,
        place: Place<'_>,
        (else_op, else_layer, bad_row): (&'static str, usize, Option<u64>),
    ) -> Result<Error> {
        let error = |op, layer, row| place.error(op, layer, row);
        if let Some(row) = first_bad_row(&batch.x.to_array_by(waiting).await?) {
            return Ok(error("features", 0, Some(row)));
        }
        if let Some(layer) = self.bad_layer(waiting).await? {
            return Ok(error("parameters", layer, None));
        }
        let mut activations = batch.x.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            activations = layer.infer(&activations)?;
            if let Some(row) = first_bad_row(&activations.to_array_by(waiting).await?) {
                return Ok(error("linear", index, Some(row)));
            }
        }
        Ok(error(else_op, else_layer, bad_row.and_then(|row| usize::try_from(row).ok())))
    }

    /// Records what tells whether the parameters are finite, and waits for nothing: for [`Mlp::spoiled`].
    pub(crate) fn look(&mut self) -> Result<Matrix> {
        ops::finite_scale(&self.layers.iter_mut().flat_map(Dense::all_parameters_mut).collect::<Vec<_>>())
    }

    /// The first layer with a parameter that is not finite, given what [`Mlp::look`] recorded.
    pub(super) async fn spoiled(&self, waiting: Waiting, look: Option<f32>) -> Result<Option<usize>> {
        // The squares' sum overflows before the parameters do: then each is looked at.
        if look.is_some_and(|look| look > 0.0) { Ok(None) } else { self.bad_layer(waiting).await }
    }

    /// Both at once. This waits.
    pub(super) async fn spoiled_layer(&mut self, waiting: Waiting) -> Result<Option<usize>> {
        let look = self.look()?;
        let (_, look) = Pending::read_all(waiting, &[], Some(&look)).await?;
        self.spoiled(waiting, look).await
    }

    /// The first layer with a parameter that is not finite. This brings them all to the host.
    async fn bad_layer(&self, waiting: Waiting) -> Result<Option<usize>> {
        let bad = |values: &Array2<f32>| first_bad_row(values).is_some();
        Ok(self.parameters_by(waiting).await?.iter().position(|layer| bad(&layer.weights) || bad(&layer.biases)))
    }
}

fn first_bad_row(values: &Array2<f32>) -> Option<usize> {
    values.rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite()))
}
