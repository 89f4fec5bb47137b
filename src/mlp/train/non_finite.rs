//! Non-finite values: finds out whether a step left NaN or infinity, and in which op, layer and row it first appears.

use ndarray::Array2;

use super::batches::Batch;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::mlp::Mlp;
use crate::ops::{self, Pending};
use crate::optim::OptimizerState;
use crate::waiting::Waiting;

/// The position of a step in a training.
#[derive(Clone, Copy)]
pub(super) struct StepPosition<'a> {
    pub epoch: usize,
    pub step: usize,
    /// The caller's numbers for the rows of the batch.
    pub rows: &'a [usize],
}

/// The origin of a non-finite value: an op and its layer, and the row of the batch if the value is in a single row.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub op: &'static str,
    pub layer: usize,
    pub row: Option<usize>,
}

impl StepPosition<'_> {
    /// The error that names this origin in this step.
    pub fn error(&self, Origin { op, layer, row }: Origin) -> Error {
        let row = row.and_then(|row| self.rows.get(row)).copied();
        Error::NonFinite { op, layer, row, epoch: self.epoch, step: self.step }
    }
}

impl Mlp {
    /// The error for a step with a non-finite value, called on the model as it was before the step. It repeats the forward pass
    /// of the batch to find the first op with a non-finite value. If there is none, the origin is `otherwise`.
    pub(super) async fn non_finite_error(
        &self,
        waiting: Waiting,
        batch: &Batch,
        position: StepPosition<'_>,
        otherwise: Origin,
    ) -> Result<Error> {
        let error = |op, layer, row| position.error(Origin { op, layer, row });
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
        Ok(position.error(otherwise))
    }

    /// Records a check whether the parameters and the optimizer's state are finite, without waiting for it. The result is
    /// positive if they are: see [`Mlp::non_finite_state`].
    pub(super) fn record_finite_check(&self, state: &OptimizerState) -> Result<Matrix> {
        let parameters = self.layers.iter().flat_map(|layer| [layer.weights(), layer.biases()]);
        ops::finite_scale(parameters.chain(state.matrices()))
    }

    /// The non-finite part of the state after an update, given the result of [`Mlp::record_finite_check`]. The op of the origin
    /// is `update` for parameters, or the optimizer's slot.
    pub(super) async fn non_finite_state(
        &self,
        waiting: Waiting,
        check: Option<f32>,
        state: &OptimizerState,
    ) -> Result<Option<Origin>> {
        if check.is_some_and(|check| check > 0.0) {
            return Ok(None);
        }
        // The check sums squares, which can overflow even if all values are finite. So each value is checked here.
        match self.bad_layer(waiting).await? {
            Some(layer) => Ok(Some(Origin { op: "update", layer, row: None })),
            None => self.bad_slot(waiting, state).await,
        }
    }

    /// Checks the state as it is now, and returns its non-finite part if there is one. This waits for the device.
    pub(super) async fn non_finite_state_now(
        &mut self,
        waiting: Waiting,
        state: &OptimizerState,
    ) -> Result<Option<Origin>> {
        let check = self.record_finite_check(state)?;
        let (_, check) = Pending::read_all(waiting, &[], &[check]).await?;
        self.non_finite_state(waiting, first_of(&check), state).await
    }

    /// The first slot of the optimizer with a non-finite value, and its layer. This copies all slots to the host.
    async fn bad_slot(&self, waiting: Waiting, state: &OptimizerState) -> Result<Option<Origin>> {
        let snapshot = state.export_by(waiting, &self.parameter_shapes()).await?;
        let slots = state.optimizer().slots_in_errors().iter().zip(&snapshot.slots);
        let bad = |arrays: &[Array2<f32>]| arrays.iter().position(|array| first_bad_row(array).is_some());
        // A slot has weights and biases in turn, so two arrays belong to each layer.
        let origin = |op: &'static str, index: usize| Origin { op, layer: index / 2, row: None };
        Ok(slots.filter_map(|(name, arrays)| Some(origin(name, bad(arrays)?))).next())
    }

    /// The first layer with a non-finite parameter. This copies all parameters to the host.
    async fn bad_layer(&self, waiting: Waiting) -> Result<Option<usize>> {
        let bad = |values: &Array2<f32>| first_bad_row(values).is_some();
        Ok(self.parameters_by(waiting).await?.iter().position(|layer| bad(&layer.weights) || bad(&layer.biases)))
    }
}

/// The first value that was read beside the losses, which is the result of a finite check; `None` if there is none.
pub(super) fn first_of(beside: &[Vec<f32>]) -> Option<f32> {
    beside.first()?.first().copied()
}

/// The first row with a non-finite value.
fn first_bad_row(values: &Array2<f32>) -> Option<usize> {
    values.rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite()))
}
