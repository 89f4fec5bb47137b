//! Training: shuffled mini-batches, losses read once an epoch.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ndarray::{ArrayView2, Axis};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::Mlp;
use super::predict::check_rows;
use crate::error::{Error, Result};
use crate::layers::Dense;
use crate::matrix::Matrix;
use crate::ops::{self, CrossEntropy, Gradients, Pending, Statistics};
use crate::optim::{Optimizer, OptimizerState};
use crate::targets::{Label, Targets};

/// Losses are read after this many steps at the latest, so that their records do not pile up on the device.
const STEPS_A_READ: usize = 1024;

/// The parameters are copied to the host after an epoch when the last copy is this old.
const COPY_INTERVAL: Duration = Duration::from_secs(1);

/// How [`Mlp::fit`] trains.
///
/// ```
/// use wgpu_mlp::{FitOptions, Optimizer};
/// let options = FitOptions { epochs: 30, batch: 256, optimizer: Optimizer::sgd(0.1), ..Default::default() };
/// assert!(options.shuffle);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FitOptions {
    /// Passes over the data.
    pub epochs: usize,
    /// Rows a step; the last step of an epoch takes what is left.
    pub batch: usize,
    /// What is done with the gradients.
    pub optimizer: Optimizer,
    /// Whether each epoch goes through the rows in a new order.
    pub shuffle: bool,
    /// Seed of these orders.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions { epochs: 10, batch: 128, optimizer: Optimizer::default(), shuffle: true, seed: 0 }
    }
}

/// What one pass over the data came to, measured while training: each step before its own update.
///
/// ```
/// # use wgpu_mlp::{Device, FitOptions, Mlp};
/// # let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
/// let history = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default())?;
/// assert_eq!(history.epochs[9].index, 9);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Epoch {
    /// Counted from 0.
    pub index: usize,
    /// Mean loss over the rows.
    pub loss: f64,
    /// Share of the rows whose most probable class was theirs.
    pub accuracy: f64,
    /// Rows whose loss was NaN or infinite.
    pub non_finite_rows: u64,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The epochs of a training run, in order.
///
/// ```
/// # use wgpu_mlp::{Device, FitOptions, Mlp};
/// # let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
/// let history = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default())?;
/// assert!(history.epochs[9].loss < history.epochs[0].loss);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One entry a finished epoch.
    pub epochs: Vec<Epoch>,
}

impl Mlp {
    /// Trains on `rows x inputs` features and a class id a row, by minimising the mean cross-entropy.
    ///
    /// Repeated with the same model, data, options and device it gives the same bits. A second call goes on from the
    /// weights of the first, with a fresh optimizer state.
    ///
    /// # Errors
    /// [`Error::Shape`] for features or labels that do not fit; [`Error::Target`] with the first row whose label is
    /// not a class; [`Error::Option`] for a batch of 0.
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp};
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let history = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default())?;
    /// assert_eq!(history.epochs.len(), 10);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn fit<L: Label>(&mut self, x: ArrayView2<'_, f32>, labels: &[L], options: &FitOptions) -> Result<History> {
        self.fit_with(x, labels, options, |_, _| Ok(ControlFlow::Continue(())))
    }

    /// Like [`Mlp::fit`]; `watch` sees the model after each epoch and can end the training.
    ///
    /// # Errors
    /// As [`Mlp::fit`], and what `watch` returns.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use wgpu_mlp::{Device, FitOptions, Mlp};
    /// let (x, labels) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let history = model.fit_with(x.view(), &labels, &FitOptions::default(), |model, epoch| {
    ///     println!("{}: loss {:.3}, accuracy {:.3}", epoch.index, epoch.loss, model.score(x.view(), &labels)?);
    ///     Ok(if epoch.index == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    /// })?;
    /// assert_eq!(history.epochs.len(), 5);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn fit_with<L: Label>(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        options: &FitOptions,
        mut watch: impl FnMut(&Mlp, &Epoch) -> Result<ControlFlow<()>>,
    ) -> Result<History> {
        self.check_inputs("fit", x)?;
        check_rows("fit", x, labels.len())?;
        Targets::check(labels, self.classes())?;
        if options.batch == 0 {
            return Err(Error::Option { op: "fit", option: "batch", rule: "at least 1", value: 0.0 });
        }
        let mut state = OptimizerState::new(options.optimizer);
        let mut rng = ChaCha12Rng::seed_from_u64(options.seed);
        let mut order: Vec<usize> = (0..labels.len()).collect();
        let mut history = History::default();
        let mut copied = Instant::now();
        for index in 0..options.epochs {
            let start = Instant::now();
            if options.shuffle {
                order.shuffle(&mut rng);
            }
            let total = self.epoch(x, labels, &order, options.batch, &mut state)?;
            history.epochs.push(Epoch {
                index,
                loss: total.mean_loss(),
                accuracy: total.accuracy(),
                non_finite_rows: total.non_finite_rows,
                seconds: start.elapsed().as_secs_f64(),
            });
            if copied.elapsed() >= COPY_INTERVAL {
                self.copy = self.parameters()?.into();
                copied = Instant::now();
            }
            if let Some(epoch) = history.epochs.last()
                && watch(self, epoch)?.is_break()
            {
                break;
            }
        }
        self.layers.iter_mut().for_each(|layer| layer.forget());
        self.copy = self.parameters()?.into();
        Ok(history)
    }

    /// One pass over the rows in this order.
    fn epoch<L: Label>(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        order: &[usize],
        batch: usize,
        state: &mut OptimizerState,
    ) -> Result<Statistics> {
        let mut total = Statistics::default();
        for steps in order.chunks(batch.saturating_mul(STEPS_A_READ)) {
            let mut pending = Vec::new();
            for rows in steps.chunks(batch) {
                let batch_labels: Vec<L> = rows.iter().map(|row| labels[*row]).collect();
                let targets = Targets::classes(&self.device, &batch_labels, self.classes())?;
                let inputs = Matrix::from_array(&self.device, x.select(Axis(0), rows).view())?;
                pending.push(self.train_step(&inputs, &targets, state)?);
            }
            for statistics in Pending::read_all(&pending)? {
                total = total.join(statistics, total.rows);
            }
        }
        Ok(total)
    }

    /// One step of training on a batch that is on the model's device already: forward, mean cross-entropy, backward and the
    /// optimizer's update, in six launches for a model of two layers and up to 16 classes. Nothing here waits for the device;
    /// what comes back is read when it is wanted.
    ///
    /// # Errors
    /// [`Error::Shape`] for features or targets that do not fit, [`Error::OtherDevice`] for those of another device.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, Targets};
    /// let device = Device::cpu();
    /// let mut model = Mlp::new(&device, &[4, 16, 3], 0)?;
    /// let mut optimizer = OptimizerState::new(Optimizer::sgd(0.1));
    /// let x = Matrix::from_slice(&device, 2, 4, &[1.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.5, 0.0])?;
    /// let y = Targets::classes(&device, &[0u8, 2], 3)?;
    /// let first = model.train_step(&x, &y, &mut optimizer)?;
    /// let second = model.train_step(&x, &y, &mut optimizer)?;
    /// assert!(second.read()?.mean_loss() < first.read()?.mean_loss());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn train_step(&mut self, x: &Matrix, targets: &Targets, state: &mut OptimizerState) -> Result<Pending> {
        let Some((last, hidden)) = self.layers.split_last() else { return Ok(Pending::ready(Statistics::default())) };
        let mut inputs = vec![x.clone()];
        for (index, layer) in hidden.iter().enumerate() {
            inputs.push(layer.infer(&inputs[index])?);
        }
        let (weights, biases) = (last.weights(), last.biases());
        let head =
            ops::linear_cross_entropy(&inputs[hidden.len()], weights, biases, targets, &CrossEntropy::default())?;
        let shapes: Vec<_> = self.layers.iter().map(Dense::widths).collect();
        let mut gradients = Gradients::new(&self.device, x.rows(), &shapes)?;
        let mut dy = head.dlogits().clone();
        for (index, layer) in self.layers.iter().enumerate().rev() {
            // Popped, so that its memory serves the next.
            let Some(input) = inputs.pop() else { break };
            gradients.set(index, &input, &dy)?;
            if index > 0 {
                dy = ops::linear_backward(&dy, layer.weights(), &input)?;
            }
        }
        self.join_parameters()?;
        state.step_joined(self.layers.iter_mut().flat_map(Dense::all_parameters_mut).collect(), &gradients)?;
        Ok(head.into_pending())
    }
}
