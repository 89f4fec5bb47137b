//! Snapshots: an optimizer's state, copied to the host parameter by parameter.

use ndarray::Array2;

use super::optimizer::Optimizer;
use super::state::{COUNTS, OptimizerState};
use crate::error::{Error, Result};
use crate::host_memory::{host_filled, no_room};
#[cfg(doc)]
use crate::matrix::Matrix;
use crate::waiting::{Waiting, blocking_and_async};

/// The most steps that a snapshot may have. No training takes so many, and an f64 holds every integer up to this number.
const MOST_STEPS: u64 = 1 << 53;

/// An optimizer's state on the host: its slots and its number of steps. A checkpoint holds it beside the options.
///
/// ```
/// use wgpu_mlp::{Optimizer, OptimizerSnapshot, OptimizerState};
/// let snapshot = OptimizerState::new(Optimizer::adam(1e-3)).export(&[(3, 2), (1, 2)])?;
/// assert_eq!((snapshot.step, snapshot.slots.len()), (0, 2));
/// assert_eq!(snapshot.slots[1][0].dim(), (3, 2));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerSnapshot {
    /// Steps taken.
    pub step: u64,
    /// The number of steps that each parameter has taken. Empty if all parameters have taken every step; some have taken fewer if
    /// they came later or were left out of a step.
    pub steps: Vec<u64>,
    /// The slots, in the order of [`Optimizer::slots`](super::Optimizer::slots), each with an array for each parameter.
    pub slots: Vec<Vec<Array2<f32>>>,
}

impl OptimizerState {
    blocking_and_async! {
        /// The state as a snapshot on the host, for parameters of these shapes, in the order of the steps. On a GPU this waits.
        ///
        /// [`OptimizerState::restore`] continues from it on any device, and on the same device with the same bits.
        ///
        /// # Errors
        /// [`Error::Shape`] if the parameters of the steps have other shapes; [`Error::Option`] if the state was restored from a
        /// snapshot without slots that counts the steps of another number of parameters; else as [`Matrix::to_array`].
        pub fn export, export_async(&self, shapes: &[(usize, usize)]) -> Result<OptimizerSnapshot> = |waiting| {
            self.export_by(waiting, shapes).await
        }
    }

    pub(crate) async fn export_by(&self, waiting: Waiting, shapes: &[(usize, usize)]) -> Result<OptimizerSnapshot> {
        self.check_shapes("export", shapes)?;
        let mut slots: Vec<Vec<_>> = Vec::with_capacity(self.optimizer.slots().len());
        for slot in &self.slots {
            let mut arrays = Vec::with_capacity(slot.len());
            for matrix in slot {
                arrays.push(matrix.to_array_by(waiting).await?);
            }
            slots.push(arrays);
        }
        if slots.is_empty() {
            slots.clone_from(&self.restored);
        }
        while slots.len() < self.optimizer.slots().len() {
            slots.push(shapes.iter().map(|shape| zeros(*shape)).collect::<Result<_>>()?);
        }
        let together = self.taken.iter().all(|taken| *taken == self.step);
        let steps = if together { Vec::new() } else { self.taken.clone() };
        Ok(OptimizerSnapshot { step: self.step, steps, slots })
    }

    /// Restores the state that a snapshot holds. Penalties and clipping must be set again.
    ///
    /// # Errors
    /// [`Error::Option`] unless there is an entry for each of [`Optimizer::slots`], for more than 2^53 steps, and unless
    /// [`OptimizerSnapshot::steps`] is empty or has a count for each parameter, none above the number of steps. The first step
    /// checks the shapes and returns [`Error::Shape`]. A snapshot without slots has no shapes, so the first step compares the
    /// number of its counts with the number of parameters.
    ///
    /// ```
    /// use wgpu_mlp::{Optimizer, OptimizerState};
    /// let snapshot = OptimizerState::new(Optimizer::adam(1e-3)).export(&[(3, 2), (1, 2)])?;
    /// let optimizer = OptimizerState::restore(Optimizer::adam(1e-3), snapshot.clone())?;
    /// assert_eq!(optimizer.export(&[(3, 2), (1, 2)])?, snapshot);
    /// assert!(OptimizerState::restore(Optimizer::sgd(0.1), snapshot).is_err());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn restore(optimizer: Optimizer, snapshot: OptimizerSnapshot) -> Result<Self> {
        if snapshot.slots.len() != optimizer.slots().len() {
            let (option, value) = ("slots", snapshot.slots.len() as f64);
            return Err(Error::Option { op: "restore", option, rule: "as many as the optimizer keeps", value });
        }
        let OptimizerSnapshot { step, steps, slots } = snapshot;
        if step > MOST_STEPS {
            return Err(Error::Option { op: "restore", option: "step", rule: "at most 2^53", value: step as f64 });
        }
        let wrong = |rule, value| Err(Error::Option { op: "restore", option: "steps", rule, value });
        if !steps.is_empty() && slots.iter().any(|slot| slot.len() != steps.len()) {
            return wrong(COUNTS, steps.len() as f64);
        }
        if let Some(more) = steps.iter().find(|count| **count > step) {
            return wrong("no more than the steps of all", *more as f64);
        }
        Ok(OptimizerState { step, restored: slots, taken: steps, ..Self::new(optimizer) })
    }
}

/// Zeros of this shape, which may be one that no memory holds.
fn zeros((rows, cols): (usize, usize)) -> Result<Array2<f32>> {
    let values = host_filled("export", (rows, cols), 0.0)?;
    Array2::from_shape_vec((rows, cols), values).map_err(|_| no_room::<f32>("export", rows, cols))
}
