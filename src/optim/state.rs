//! OptimizerState: an optimizer with the values that it keeps from step to step.

use std::mem::{Discriminant, discriminant};

use ndarray::Array2;

use super::optimizer::Optimizer;
use super::penalty::Penalty;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::ops;
use crate::ops::bank::{self, Gradient};
use crate::options::PenaltyRates;

/// The rule between a state and the parameters of its steps.
const SAME_PARAMETERS: &str = "an optimizer's state serves the parameters that it began with";
/// The rule for the counts of steps in a snapshot.
pub(super) const COUNTS: &str = "none, or one for each parameter";

/// The state of an optimizer during a training: its number of steps, and its slots, such as Adam's two moments of each parameter.
/// The slots are on the device of the parameters.
///
/// ```
/// use rand::{SeedableRng, rngs::ChaCha12Rng};
/// use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState, layers::Dense};
/// let device = Device::cpu();
/// let mut layers = [Dense::new(&device, 3, 2, &mut ChaCha12Rng::seed_from_u64(0))?];
/// let mut optimizer = OptimizerState::new(Optimizer::adam(1e-3));
/// let y = layers[0].forward(&Matrix::zeros(&device, 5, 3)?)?;
/// layers[0].backward(&y)?;
/// optimizer.step(layers.iter_mut().flat_map(|layer| layer.parameters_mut()))?;
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OptimizerState {
    pub(super) optimizer: Optimizer,
    pub(super) step: u64,
    /// The shapes of the parameters of all steps; empty before the first step.
    pub(super) shapes: Vec<(usize, usize)>,
    /// The optimizer's slots, each with a matrix for each parameter; none before the first step.
    pub(super) slots: Vec<Vec<Matrix>>,
    /// The slots that the first step starts from, in their order; empty for zeros.
    pub(super) restored: Vec<Vec<Array2<f32>>>,
    /// The number of steps that each parameter has taken. Parameters that came later have fewer. Empty before the first step.
    pub(super) taken: Vec<u64>,
    pub(super) penalties: Vec<Penalty>,
    pub(super) clip_norm: Option<f64>,
}

impl OptimizerState {
    /// The state before the first step.
    pub fn new(optimizer: Optimizer) -> Self {
        let (shapes, slots, restored, taken) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        OptimizerState { optimizer, step: 0, shapes, slots, restored, taken, penalties: Vec::new(), clip_norm: None }
    }

    /// Adds penalties on the parameters, one for each layer, in their order. The steps add the penalties' gradient. Reported losses
    /// do not contain the penalties (see [`Penalty::loss`]).
    ///
    /// The steps fail with [`Error::Option`] unless there are two parameters, weights and biases, for each penalty, and if a factor
    /// is negative or not finite.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState, Penalty};
    /// let device = Device::cpu();
    /// let (mut w, mut b) = (Matrix::from_slice(&device, 1, 1, &[-2.0])?, Matrix::from_slice(&device, 1, 1, &[4.0])?);
    /// let zero = Matrix::zeros(&device, 1, 1)?;
    /// let penalty = Penalty { l1_weights: 1.0, l2_biases: 0.25, ..Default::default() };
    /// let mut optimizer = OptimizerState::new(Optimizer::sgd(0.5)).with_penalties(vec![penalty]);
    /// optimizer.step([(&mut w, &zero), (&mut b, &zero)].into_iter())?;
    /// assert_eq!((w.to_array()?[[0, 0]], b.to_array()?[[0, 0]]), (-1.5, 3.0));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn with_penalties(mut self, penalties: Vec<Penalty>) -> Self {
        self.penalties = penalties;
        self
    }

    /// Limits the norm of all gradients together: each step multiplies them by [`ops::clip_scale`] and then adds the penalties.
    /// Nothing waits for the device. If the sum of the squares is above the largest f32, as it is for every norm above 1.8 · 10¹⁹,
    /// the factor is 0: the step then has gradients of 0.
    ///
    /// The steps fail with [`Error::Option`] unless the limit is positive and finite.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState};
    /// let device = Device::cpu();
    /// let mut w = Matrix::zeros(&device, 1, 1)?;
    /// let dw = Matrix::from_slice(&device, 1, 1, &[-100.0])?;
    /// let mut optimizer = OptimizerState::new(Optimizer::sgd(1.0)).with_clip_norm(2.0);
    /// optimizer.step([(&mut w, &dw)].into_iter())?;
    /// assert!((w.to_array()?[[0, 0]] - 2.0).abs() < 1e-5);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn with_clip_norm(mut self, max_norm: f64) -> Self {
        self.clip_norm = Some(max_norm);
        self
    }

    /// The state with this limit of the gradients' norm, or without a limit.
    pub(crate) fn clipped(mut self, max_norm: Option<f64>) -> Self {
        self.clip_norm = max_norm;
        self
    }

    /// The optimizer with its options.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// The number of steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The state without its slots, for a dry run.
    pub(crate) fn emptied(&self) -> Self {
        let OptimizerState { optimizer, step, clip_norm, .. } = *self;
        OptimizerState { step, clip_norm, penalties: self.penalties.clone(), ..Self::new(optimizer) }
    }

    /// The two facts that decide which kernels a step launches: the kind of optimizer, and whether gradients are clipped. Penalties
    /// are only parameters of these kernels.
    pub(crate) fn way(&self) -> (Discriminant<Optimizer>, bool) {
        (discriminant(&self.optimizer), self.clip_norm.is_some())
    }

    /// The matrices of all slots.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.slots.iter().flatten()
    }

    /// Sets the learning rate of the steps from now on.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.optimizer = self.optimizer.with_learning_rate(learning_rate);
    }

    /// One step: updates all parameters, each by its gradient. The parameters come in the same order in every step. A later step
    /// may bring further parameters behind the others, for example when a frozen layer begins to learn. Their slots begin with
    /// zeros, and Adam counts their steps from the first one, as PyTorch does.
    ///
    /// # Errors
    /// The errors of the optimizer's op (see [`Optimizer`]) and of [`ops::clip_scale`]; [`Error::Shape`] if the parameters of
    /// earlier steps had other shapes; [`Error::OtherDevice`] unless all parameters live on one device; [`Error::Option`] unless
    /// there is one penalty for each two parameters, and for penalties out of range.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState};
    /// let device = Device::cpu();
    /// let mut w = Matrix::from_slice(&device, 1, 1, &[1.0])?;
    /// let dw = Matrix::from_slice(&device, 1, 1, &[2.0])?;
    /// OptimizerState::new(Optimizer::sgd(0.25)).step([(&mut w, &dw)].into_iter())?;
    /// assert_eq!(w.to_array()?[[0, 0]], 0.5);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn step<'a>(&mut self, parameters: impl Iterator<Item = (&'a mut Matrix, &'a Matrix)>) -> Result<()> {
        let (parameters, gradients): (Vec<_>, Vec<_>) =
            parameters.map(|(parameter, gradient)| (parameter, Gradient::from(gradient))).unzip();
        self.step_all(parameters, &gradients)
    }

    /// The step of [`OptimizerState::step`], for gradients that may lie side by side in a bank. If the parameters do too, it takes
    /// few launches.
    pub(crate) fn step_all(&mut self, parameters: Vec<&mut Matrix>, gradients: &[Gradient]) -> Result<()> {
        let Some(device) = parameters.first().map(|first| first.device().clone()) else { return Ok(()) };
        let rule = self.optimizer.rule(self.step.saturating_add(1));
        let penalties = self.penalty_rates(parameters.len())?;
        let shapes: Vec<_> = parameters.iter().map(|parameter| parameter.shape()).collect();
        let mut lists = vec![parameters];
        // Checked first, so that no slot is made for parameters that do not fit.
        ops::check_update(rule.as_ref(), &lists, gradients, None)?;
        self.begin(&device, rule.name(), &shapes)?;
        let scale = self.clip_norm.map(|max_norm| ops::clip_scale_all(gradients, max_norm)).transpose()?;
        lists.extend(self.slots.iter_mut().map(|slot| slot.iter_mut().take(shapes.len()).collect()));
        // A state restored without counts has taken all of its steps with all parameters.
        let begun = if self.taken.is_empty() { self.step } else { 0 };
        self.taken.resize(self.taken.len().max(shapes.len()), begun);
        // All copies are made before the first update: if memory runs out, no parameter has changed.
        ops::make_unique(rule.as_ref(), &mut lists)?;
        lists[0].first().map_or(Ok(()), |first| ops::check_device(first))?;
        let mut first = 0;
        for alike in self.taken[..shapes.len()].chunk_by(|one, next| one == next) {
            let (rule, end) = (self.optimizer.rule(alike[0].saturating_add(1)), first + alike.len());
            let mut own: Vec<Vec<_>> = lists.iter_mut().map(|list| list.drain(..alike.len()).collect()).collect();
            ops::update_all(rule.as_ref(), &mut own, &gradients[first..end], &penalties[first..end], scale.as_ref())?;
            first = end;
        }
        self.taken[..shapes.len()].iter_mut().for_each(|taken| *taken = taken.saturating_add(1));
        self.step = self.step.saturating_add(1);
        Ok(())
    }

    /// Makes the slots of those parameters that have none yet, from the restored values or from zeros. If that fails, the state is
    /// unchanged.
    fn begin(&mut self, device: &Device, op: &'static str, shapes: &[(usize, usize)]) -> Result<()> {
        let known = self.shapes.len().min(shapes.len());
        match known {
            0 => self.check_shapes(op, shapes)?,
            _ => same_parameters(op, &self.shapes[..known], &shapes[..known])?,
        }
        let new = &shapes[known..];
        if new.is_empty() {
            return Ok(());
        }
        let slot = |kind: usize| match self.restored.get(kind) {
            None => bank::zeros(device, "matrix", new),
            Some(arrays) => {
                let views: Vec<_> = arrays.iter().map(|array| array.view()).collect();
                bank::from_arrays(device, "matrix", &views)
            }
        };
        let fresh: Vec<_> = (0..self.optimizer.slots().len()).map(slot).collect::<Result<_>>()?;
        self.slots.resize_with(fresh.len(), Vec::new);
        self.slots.iter_mut().zip(fresh).for_each(|(slot, fresh)| slot.extend(fresh));
        self.shapes.extend_from_slice(new);
        self.restored.clear();
        Ok(())
    }

    /// Refuses shapes that are not those of all parameters of the steps, or of the snapshot that the first step starts from.
    pub(super) fn check_shapes(&self, op: &'static str, shapes: &[(usize, usize)]) -> Result<()> {
        if !self.shapes.is_empty() {
            return same_parameters(op, &self.shapes, shapes);
        }
        for slot in &self.restored {
            same_parameters(op, &slot.iter().map(|array| array.dim()).collect::<Vec<_>>(), shapes)?;
        }
        // A snapshot without slots has no shapes, but may have counts of steps.
        if !self.taken.is_empty() && self.taken.len() != shapes.len() {
            return Err(Error::Option { op, option: "steps", rule: COUNTS, value: self.taken.len() as f64 });
        }
        Ok(())
    }

    /// The penalty of each parameter; there are `parameters` of them.
    fn penalty_rates(&self, parameters: usize) -> Result<Vec<PenaltyRates>> {
        if self.penalties.is_empty() {
            return Ok(vec![PenaltyRates::default(); parameters]);
        }
        if 2 * self.penalties.len() != parameters {
            let (option, rule) = ("penalties", "one for the weights and biases of each layer");
            return Err(Error::Option { op: "optimizer", option, rule, value: self.penalties.len() as f64 });
        }
        self.penalties.iter().try_for_each(Penalty::check)?;
        Ok(self.penalties.iter().flat_map(Penalty::rates).collect())
    }
}

/// An error unless the shapes that a state knows are those of the parameters.
fn same_parameters(op: &'static str, known: &[(usize, usize)], parameters: &[(usize, usize)]) -> Result<()> {
    let shape = |shapes: &[(usize, usize)], index: usize| shapes.get(index).copied().unwrap_or_default();
    let pairs = (0..known.len().max(parameters.len())).map(|index| (shape(known, index), shape(parameters, index)));
    for (left, right) in pairs {
        if left != right {
            return Err(Error::Shape { op, rule: SAME_PARAMETERS, left: left.into(), right: right.into() });
        }
    }
    Ok(())
}
