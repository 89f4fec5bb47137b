//! Where a step went wrong: the first op, layer and row with NaN or infinity.

use ndarray::Array2;

use super::Mlp;
use super::rows::Batch;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::ops::{self, Pending};
use crate::optim::OptimizerState;
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

    /// Records what tells whether the parameters and what the optimizer keeps are finite, and waits for nothing: for
    /// [`Mlp::spoiled`].
    pub(crate) fn look(&self, state: &OptimizerState) -> Result<Matrix> {
        let parameters = self.layers.iter().flat_map(|layer| [layer.weights(), layer.biases()]);
        ops::finite_scale(parameters.chain(state.matrices()))
    }

    /// What an update has left that is not finite, and its layer, given what [`Mlp::look`] recorded: `update` for a
    /// parameter, else the optimizer's slot.
    pub(super) async fn spoiled(
        &self,
        waiting: Waiting,
        look: Option<f32>,
        state: &OptimizerState,
    ) -> Result<Option<(&'static str, usize)>> {
        // The squares' sum overflows before the values do: then each is looked at.
        if look.is_some_and(|look| look > 0.0) {
            return Ok(None);
        }
        match self.bad_layer(waiting).await? {
            Some(layer) => Ok(Some(("update", layer))),
            None => self.bad_slot(waiting, state).await,
        }
    }

    /// Both at once. This waits.
    pub(super) async fn spoiled_now(
        &mut self,
        waiting: Waiting,
        state: &OptimizerState,
    ) -> Result<Option<(&'static str, usize)>> {
        let look = self.look(state)?;
        let (_, look) = Pending::read_all(waiting, &[], Some(&look)).await?;
        self.spoiled(waiting, look, state).await
    }

    /// The first slot of the optimizer with a value that is not finite, and the layer. This brings them all to the host.
    async fn bad_slot(&self, waiting: Waiting, state: &OptimizerState) -> Result<Option<(&'static str, usize)>> {
        let snapshot = state.export_by(waiting, &self.parameter_shapes()).await?;
        let slots = state.optimizer().slots().iter().zip(&snapshot.slots);
        let bad = |arrays: &[Array2<f32>]| arrays.iter().position(|array| first_bad_row(array).is_some());
        Ok(slots.filter_map(|(name, arrays)| Some((slot_op(name), bad(arrays)? / 2))).next())
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

/// An optimizer's slot as an error names it.
fn slot_op(slot: &str) -> &'static str {
    match slot {
        "velocity" => "the optimizer's velocity",
        "squares" => "the optimizer's squares",
        "m" => "the optimizer's m",
        _ => "the optimizer's v",
    }
}
