//! OptimizerState: an optimizer at work.

use std::mem::{Discriminant, discriminant};

use ndarray::Array2;

use super::snapshot::{OptimizerSnapshot, apart, side_by_side};
use super::{Optimizer, Penalty};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::matrix::{Joined, Matrix, part_words};
use crate::ops::{self, Gradients};
use crate::options::PenaltyRates;
use crate::waiting::{Waiting, at_once};

/// What holds between a state and the parameters of its steps.
const SAME_PARAMETERS: &str = "an optimizer's state serves the parameters that it began with";

/// The most steps that a snapshot may tell of: more than any training takes, and a number that f64 still counts by ones.
const MOST_STEPS: u64 = 1 << 53;

/// An optimizer at work: its step count and what it keeps of earlier steps (Adam's two moments a parameter, say), on the
/// parameters' device.
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
    optimizer: Optimizer,
    step: u64,
    /// The optimizer's slots, for each parameter; or once, for all of them side by side.
    slots: Vec<Vec<Matrix>>,
    /// What the slots begin with, by slot and parameter; zeros where there is nothing.
    restored: Vec<Vec<Array2<f32>>>,
    penalties: Vec<Penalty>,
    clip_norm: Option<f64>,
}

impl OptimizerState {
    /// Before the first step.
    ///
    /// ```
    /// use wgpu_mlp::{Optimizer, OptimizerState};
    /// let optimizer = OptimizerState::new(Optimizer::sgd(0.1));
    /// ```
    pub fn new(optimizer: Optimizer) -> Self {
        let (slots, restored) = (Vec::new(), Vec::new());
        OptimizerState { optimizer, step: 0, slots, restored, penalties: Vec::new(), clip_norm: None }
    }

    /// With penalties on the parameters, one for each layer, in their order. The steps add the penalties' gradient; the
    /// losses that are reported are without them (see [`Penalty::loss`]).
    ///
    /// The steps fail with [`Error::Option`] where there are not two parameters, weights and biases, for each penalty, or
    /// where one is negative or not finite.
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

    /// With all gradients multiplied by [`ops::clip_scale`] before each step, so that their common norm stays below this
    /// limit; penalties come behind it. Nothing waits for the device.
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

    /// With this limit or none, whatever it was.
    pub(crate) fn clipped(mut self, max_norm: Option<f64>) -> Self {
        self.clip_norm = max_norm;
        self
    }

    /// What is done with the gradients.
    ///
    /// ```
    /// use wgpu_mlp::{Optimizer, OptimizerState};
    /// assert_eq!(OptimizerState::new(Optimizer::sgd(0.1)).optimizer(), &Optimizer::sgd(0.1));
    /// ```
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Steps done.
    ///
    /// ```
    /// use wgpu_mlp::{Optimizer, OptimizerState};
    /// assert_eq!(OptimizerState::new(Optimizer::sgd(0.1)).steps(), 0);
    /// ```
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The same without anything that it keeps: for a dry run.
    pub(crate) fn emptied(&self) -> Self {
        let OptimizerState { optimizer, step, clip_norm, .. } = *self;
        OptimizerState { step, clip_norm, penalties: self.penalties.clone(), ..Self::new(optimizer) }
    }

    /// What decides which kernels a step launches: the kind of optimizer, and whether gradients are clipped. Penalties are
    /// numbers to the same kernels.
    pub(crate) fn way(&self) -> (Discriminant<Optimizer>, bool) {
        (discriminant(&self.optimizer), self.clip_norm.is_some())
    }

    /// Everything that it keeps of earlier steps.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.slots.iter().flatten()
    }

    /// Takes this step size from now on.
    ///
    /// ```
    /// use wgpu_mlp::{Optimizer, OptimizerState};
    /// let mut optimizer = OptimizerState::new(Optimizer::sgd(0.1));
    /// optimizer.set_learning_rate(0.01);
    /// assert_eq!(optimizer.optimizer().learning_rate(), 0.01);
    /// ```
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.optimizer = self.optimizer.with_learning_rate(learning_rate);
    }

    /// One update of all parameters of a model: in one launch where they lie side by side, and their gradients too.
    pub(crate) fn step_joined(&mut self, mut parameters: Vec<&mut Matrix>, gradients: &Gradients) -> Result<()> {
        let Some(device) = parameters.first().map(|first| first.device().clone()) else { return Ok(()) };
        if let Some(joined) = Joined::of(&parameters).filter(|_| gradients.are_joined()) {
            let (rule, pulls) = (self.optimizer.rule(self.step.saturating_add(1)), self.pulls(parameters.len())?);
            rule.check()?;
            let shapes: Vec<_> = parameters.iter().map(|parameter| parameter.shape()).collect();
            self.begin_joined(&device, rule.name(), &shapes)?;
            let clip = |max_norm| ops::clip_scale_joined(&device, gradients, max_norm);
            let scale = self.clip_norm.map(clip).transpose()?.flatten();
            let slots = self.slots.first_mut().map_or(&mut [][..], Vec::as_mut_slice);
            ops::update_joined(rule.as_ref(), &joined, gradients, slots, &pulls, scale.as_ref())?;
            self.step = self.step.saturating_add(1);
            return Ok(());
        }
        let mut apart = Vec::with_capacity(parameters.len());
        for pair in 0..parameters.len() / 2 {
            let (dweights, dbiases) = gradients.of_pair(&device, pair)?;
            apart.extend([dweights, dbiases]);
        }
        self.step(parameters.iter_mut().map(|parameter| &mut **parameter).zip(&apart))
    }

    /// One update of all parameters, each with its gradient; they come in the same order every time.
    ///
    /// # Errors
    /// As the optimizer's op (see [`Optimizer`]), and as [`ops::clip_scale`]; [`Error::Option`] for penalties that are not
    /// one for each two parameters, or out of range.
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
        let mut parameters: Vec<_> = parameters.collect();
        let Some(device) = parameters.first().map(|(first, _)| first.device().clone()) else { return Ok(()) };
        let (rule, pulls) = (self.optimizer.rule(self.step.saturating_add(1)), self.pulls(parameters.len())?);
        rule.check()?;
        let scale = match self.clip_norm {
            Some(max_norm) => {
                let gradients: Vec<_> = parameters.iter().map(|(_, gradient)| *gradient).collect();
                Some(ops::clip_scale(&gradients, max_norm)?)
            }
            None => None,
        };
        let shapes: Vec<_> = parameters.iter().map(|(parameter, _)| parameter.shape()).collect();
        // All of them before the first moves, and before anything is kept of parameters that do not fit.
        for (index, (parameter, gradient)) in parameters.iter().enumerate() {
            let slots = self.slots.get(index).map_or(&[][..], Vec::as_slice);
            ops::check_update(rule.as_ref(), parameter, gradient, slots, scale.as_ref())?;
        }
        self.begin(&device, rule.name(), &shapes)?;
        for (((parameter, gradient), slots), pull) in parameters.iter_mut().zip(&mut self.slots).zip(&pulls) {
            let mut slots: Vec<_> = slots.iter_mut().collect();
            ops::update(rule.as_ref(), parameter, gradient, &mut slots, pull, scale.as_ref())?;
        }
        self.step = self.step.saturating_add(1);
        Ok(())
    }

    /// Slots for parameters of these shapes where there are none yet: as restored, or zeros.
    fn begin(&mut self, device: &Device, op: &'static str, shapes: &[(usize, usize)]) -> Result<()> {
        let kinds = self.optimizer.slots().len();
        for (index, shape) in shapes.iter().enumerate().skip(self.slots.len()) {
            let slot = |kind: usize| match self.restored.get(kind).map(|arrays| arrays.get(index)) {
                None => Matrix::zeros(device, shape.0, shape.1),
                Some(Some(array)) if array.dim() == *shape => Matrix::from_array(device, array.view()),
                Some(array) => Err(other_parameters(op, array.map_or((0, 0), |array| array.dim()), *shape)),
            };
            self.slots.push((0..kinds).map(slot).collect::<Result<_>>()?);
        }
        self.restored.clear();
        Ok(())
    }

    /// The same for parameters that lie side by side.
    fn begin_joined(&mut self, device: &Device, op: &'static str, shapes: &[(usize, usize)]) -> Result<()> {
        if !self.restored.is_empty() && self.slots.is_empty() {
            check_shapes(op, &self.restored, shapes)?;
            self.restored = self.restored.iter().map(|arrays| vec![side_by_side(arrays)]).collect();
        }
        let all = (1, shapes.iter().map(|(rows, cols)| part_words(*rows, *cols)).sum());
        self.begin(device, op, &[all])?;
        match self.slots.iter().flatten().find(|slot| slot.shape() != all) {
            Some(slot) => Err(other_parameters(op, slot.shape(), all)),
            None => Ok(()),
        }
    }

    /// The penalties on each of so many parameters.
    fn pulls(&self, parameters: usize) -> Result<Vec<PenaltyRates>> {
        if self.penalties.is_empty() {
            return Ok(vec![PenaltyRates::default(); parameters]);
        }
        if 2 * self.penalties.len() != parameters {
            let (option, rule) = ("penalties", "one for the weights and biases of each layer");
            return Err(Error::Option { op: "optimizer", option, rule, value: self.penalties.len() as f64 });
        }
        self.penalties.iter().try_for_each(Penalty::check)?;
        Ok(self.penalties.iter().flat_map(Penalty::pulls).collect())
    }

    /// The state on the host, for parameters of these shapes, in the order of the steps. On a GPU this waits.
    ///
    /// [`OptimizerState::restore`] goes on from it, on any device: on the same one with the same bits.
    ///
    /// # Errors
    /// [`Error::Shape`] for other parameters than those of the steps; else as [`Matrix::to_array`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState};
    /// let device = Device::cpu();
    /// let mut w = Matrix::zeros(&device, 1, 2)?;
    /// let dw = Matrix::from_slice(&device, 1, 2, &[2.0, -2.0])?;
    /// let mut optimizer = OptimizerState::new(Optimizer::momentum(0.25, 0.5));
    /// optimizer.step([(&mut w, &dw)].into_iter())?;
    /// let snapshot = optimizer.export(&[(1, 2)])?;
    /// assert_eq!((snapshot.step, &snapshot.slots[0][0]), (1, &ndarray::array![[2.0, -2.0]]));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn export(&self, shapes: &[(usize, usize)]) -> Result<OptimizerSnapshot> {
        at_once(self.export_by(Waiting::Blocking, shapes))
    }

    /// [`OptimizerState::export`] without blocking the thread.
    ///
    /// # Errors
    /// As [`OptimizerState::export`].
    ///
    /// ```
    /// use wgpu_mlp::{Optimizer, OptimizerState};
    /// let optimizer = OptimizerState::new(Optimizer::adam(1e-3));
    /// assert_eq!(pollster::block_on(optimizer.export_async(&[(3, 2)]))?, optimizer.export(&[(3, 2)])?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn export_async(&self, shapes: &[(usize, usize)]) -> Result<OptimizerSnapshot> {
        self.export_by(Waiting::Yielding, shapes).await
    }

    pub(crate) async fn export_by(&self, waiting: Waiting, shapes: &[(usize, usize)]) -> Result<OptimizerSnapshot> {
        let kinds = 0..self.optimizer.slots().len();
        let all = (1, shapes.iter().map(|(rows, cols)| part_words(*rows, *cols)).sum());
        let mut slots: Vec<Vec<_>> = Vec::with_capacity(kinds.len());
        if self.slots.is_empty() && !self.restored.is_empty() {
            slots.clone_from(&self.restored);
        } else if self.slots.is_empty() {
            slots.extend(kinds.map(|_| shapes.iter().map(|shape| Array2::zeros(*shape)).collect()));
        } else {
            let joined = self.slots.len() == 1 && self.slots[0].iter().all(|slot| slot.shape() == all);
            for kind in kinds {
                let mut arrays = Vec::with_capacity(self.slots.len());
                for slots in &self.slots {
                    arrays.push(slots[kind].to_array_by(waiting).await?);
                }
                slots.push(if joined { apart(&arrays[0], shapes)? } else { arrays });
            }
        }
        check_shapes("export", &slots, shapes)?;
        Ok(OptimizerSnapshot { step: self.step, slots })
    }

    /// The state behind the steps that a snapshot tells of; penalties and clipping are to be set again.
    ///
    /// # Errors
    /// [`Error::Option`] unless there is an entry for each of [`Optimizer::slots`], and for more than 2^53 steps. Whether their shapes fit shows in the
    /// first step, with [`Error::Shape`].
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
        let OptimizerSnapshot { step, slots } = snapshot;
        if step > MOST_STEPS {
            return Err(Error::Option { op: "restore", option: "step", rule: "at most 2^53", value: step as f64 });
        }
        Ok(OptimizerState { step, restored: slots, ..Self::new(optimizer) })
    }
}

/// An error unless every slot has an array of its shape for each parameter.
fn check_shapes(op: &'static str, slots: &[Vec<Array2<f32>>], shapes: &[(usize, usize)]) -> Result<()> {
    for arrays in slots {
        let pairs = (0..arrays.len().max(shapes.len())).map(|index| (arrays.get(index), shapes.get(index)));
        for (array, shape) in pairs {
            let (left, right) = (array.map_or((0, 0), |array| array.dim()), shape.copied().unwrap_or_default());
            if left != right {
                return Err(other_parameters(op, left, right));
            }
        }
    }
    Ok(())
}

fn other_parameters(op: &'static str, left: (usize, usize), right: (usize, usize)) -> Error {
    Error::Shape { op, rule: SAME_PARAMETERS, left: left.into(), right: right.into() }
}
