//! Plans: what a training step or a prediction will take, before anything is allocated.

use std::fmt;
use std::sync::Arc;

use crate::device::{Device, DeviceKind};
use crate::error::{Error, Result};
use crate::gpu::{Context, Entries};
use crate::layers::Dense;
use crate::matrix::{Matrix, not_empty};
use crate::mlp::{Callback, FitOptions, Mlp, StepOptions, Trainer, check_widths};
use crate::ops::{self, CrossEntropy};
use crate::optim::OptimizerState;
use crate::targets::{Kind, Targets};

/// What a training step or a prediction takes on a device: buffers, windows, dispatches, memory, and whether it fits.
///
/// It comes from a dry run: the same code as the real thing, on a device that only counts. The memory is what the crate
/// holds; staging memory for uploads and reads (up to some 192 MiB and 64 MiB) and the driver's own comes on top. wgpu
/// does not tell how much memory a device has, so "fits" goes by the limits that are known: the device's largest buffer
/// and grid, and [`GpuOptions::max_memory_bytes`](crate::GpuOptions::max_memory_bytes). On the CPU path the plan is that
/// of a GPU without limits: an upper estimate of host memory.
///
/// ```
/// use wgpu_mlp::{Device, FitOptions, Plan};
/// let options = FitOptions { batch: 4096, ..Default::default() };
/// let plan = Plan::training_step(&Device::auto()?, &[784, 512, 10], &options)?;
/// assert!(plan.fits());
/// println!("{plan}");
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// What was planned.
    pub title: String,
    /// The buffers, in the order in which they are first needed.
    pub buffers: Vec<PlannedBuffer>,
    /// Kernels launched for one step, or for one batch of the prediction; 0 on the CPU path.
    pub dispatches: usize,
    /// The most memory that is held at a time. Less than all buffers together, since they serve several purposes.
    pub peak_bytes: u64,
    /// The memory that the caller allows, if there is a limit.
    pub allowed_bytes: Option<u64>,
    /// What stands in the way, if anything does.
    pub obstacle: Option<Error>,
}

/// Buffers of one purpose and shape.
///
/// ```
/// use wgpu_mlp::{Device, Plan};
/// let plan = Plan::prediction(&Device::cpu(), &[4, 3], 100)?;
/// assert!(plan.buffers.iter().any(|buffer| buffer.purpose == "features" && (buffer.rows, buffer.cols) == (100, 4)));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedBuffer {
    /// What it is, or the op that makes it.
    pub purpose: &'static str,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// How many of them are asked for, the second of two batches under way not counted.
    pub count: usize,
    /// Size of each, with padding.
    pub bytes: u64,
    /// Windows in which kernels see each: 1 where a binding holds all of it.
    pub windows: u64,
}

impl Plan {
    /// What a step of [`Mlp::fit`](crate::Mlp::fit) takes, for a network of these widths: with the second copy of parameters
    /// and optimizer state that [`FitOptions::stop_on_non_finite`] keeps. Small records of the steps whose losses have not
    /// been read yet come on top, at most 1,024 of them. For a training with row weights there is
    /// [`Trainer::plan`]. Validation is a prediction: see [`Plan::prediction`].
    ///
    /// # Errors
    /// [`Error::Option`] for fewer than two widths, or an option out of range; [`Error::Empty`] for a width of 0;
    /// [`Error::Shape`] for class weights that are not one a class. What does not fit is no error: see [`Plan::obstacle`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Plan};
    /// let plan = Plan::training_step(&Device::cpu(), &[784, 512, 10], &FitOptions::default())?;
    /// assert!(plan.peak_bytes > 4 * 784 * 512);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn training_step(device: &Device, widths: &[usize], options: &FitOptions) -> Result<Self> {
        Self::training(device, widths, options, false)
    }

    /// The same, with a weight for each row or without.
    fn training(device: &Device, widths: &[usize], options: &FitOptions, weighted: bool) -> Result<Self> {
        let batch = options.batch.max(1);
        let title = format!("training step of {}, batch {batch}", list(widths));
        Self::of(device, widths, title, |model, dry| {
            let mut state = options.optimizer_state(widths.len().saturating_sub(1));
            let step_options = options.planned_step(dry, model.classes())?;
            let step = DryStep { rows: batch, weighted, distributed: false, looked_at: options.stop_on_non_finite };
            let mut chunk = |model: &mut Mlp| {
                let launched = step.run(model, &step_options, &mut state)?;
                Ok((entries(dry), launched))
            };
            // The first step makes the optimizer's state too; the second is like all that follow, and copies it.
            let ((mut buffers, _), (second, dispatches)) = (chunk(model)?, chunk(model)?);
            buffers.add_missing(second);
            Ok((buffers, dispatches))
        })
    }

    /// What [`Mlp::predict`](crate::Mlp::predict) of so many rows takes, for a network of these widths.
    ///
    /// # Errors
    /// As [`Plan::training_step`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Plan};
    /// let plan = Plan::prediction(&Device::cpu(), &[784, 512, 10], 10_000_000)?;
    /// assert!(plan.peak_bytes < 1 << 30); // rows flow through in batches
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn prediction(device: &Device, widths: &[usize], rows: usize) -> Result<Self> {
        not_empty("plan", rows, 1)?;
        let title = format!("prediction of {rows} rows with {}", list(widths));
        Self::of(device, widths, title, |model, dry| {
            let batch = model.batch_rows().min(rows);
            let predict = || {
                let x = Matrix::planned(dry, "features", batch, model.inputs())?;
                Ok((ops::argmax(&model.logits(&x)?)?.read_later()?, x))
            };
            let first = predict()?;
            let (buffers, dispatches) = (entries(dry), dry.counters().dispatches);
            // Two batches are under way at a time.
            let second = if rows > batch { Some(predict()?) } else { None };
            drop((first, second));
            Ok((buffers, dispatches))
        })
    }

    /// Whether nothing that is known stands in the way.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Plan};
    /// assert!(Plan::prediction(&Device::cpu(), &[4, 3], 100)?.fits());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn fits(&self) -> bool {
        self.obstacle.is_none()
    }

    fn of(
        device: &Device,
        widths: &[usize],
        title: String,
        run: impl FnOnce(&mut Mlp, &Device) -> Result<(Entries, u64)>,
    ) -> Result<Self> {
        check_widths(widths)?;
        let dry = device.dry();
        let outcome = planned_model(&dry, widths).and_then(|mut model| run(&mut model, &dry));
        let peak_bytes = dry.counters().peak_memory_bytes;
        let allowed_bytes = device.context().and_then(Context::max_memory_bytes);
        let on_gpu = device.info().kind != DeviceKind::Cpu;
        let too_much = allowed_bytes.is_some_and(|allowed| peak_bytes > allowed);
        let (entries, dispatches, obstacle) = match outcome {
            Ok((entries, dispatches)) => {
                let obstacle = too_much.then_some(Error::OutOfMemory { bytes: peak_bytes, source: None });
                (entries, if on_gpu { dispatches as usize } else { 0 }, obstacle)
            }
            // As far as it went.
            Err(error @ (Error::Limit { .. } | Error::HostMemory { .. })) => (entries(&dry), 0, Some(error)),
            Err(error) => return Err(error),
        };
        let buffers = joined(dry.context(), entries);
        let title = format!("{title}, on {}", device.info().name);
        Ok(Plan { title, buffers, dispatches, peak_bytes, allowed_bytes, obstacle })
    }
}

impl<C: Callback + ?Sized> Trainer<'_, C> {
    /// What a step of this training takes on the model's device: [`Plan::training_step`], and the row weights where there are
    /// some.
    ///
    /// # Errors
    /// As [`Plan::training_step`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp, Plan, Trainer};
    /// let (options, weights) = (FitOptions::default(), vec![0.5; 1000]);
    /// let model = Mlp::new(&Device::auto()?, &[64, 32, 10], 0)?;
    /// let plan = Trainer::new(&options).row_weights(&weights).plan(&model)?;
    /// assert!(plan.peak_bytes > Plan::training_step(model.device(), &[64, 32, 10], &options)?.peak_bytes);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn plan(&self, model: &Mlp) -> Result<Plan> {
        let (options, weighted) = self.planned();
        Plan::training(model.device(), &model.widths(), options, weighted)
    }
}

/// A training step on a dry device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DryStep {
    pub rows: usize,
    /// With a weight for each row.
    pub weighted: bool,
    /// With distributions as targets.
    pub distributed: bool,
    /// Whether it is looked at what the step left, and there is a way back.
    pub looked_at: bool,
}

impl DryStep {
    /// Goes through it, with options whose weights of classes, if any, are on the model's device: how many kernels the step
    /// launches.
    pub fn run(self, model: &mut Mlp, options: &StepOptions, state: &mut OptimizerState) -> Result<u64> {
        let DryStep { rows, weighted, distributed, looked_at } = self;
        let (dry, classes) = (model.device().clone(), model.classes());
        let before = looked_at.then(|| (model.clone(), state.clone()));
        let launched = dry.counters().dispatches;
        let x = Matrix::planned(&dry, "features", rows, model.inputs())?;
        let y = planned_targets(&dry, rows, classes, distributed)?;
        let sample_weights = weighted.then(|| Matrix::planned(&dry, "row weights", rows, 1)).transpose()?;
        let options = StepOptions { loss: CrossEntropy { sample_weights, ..options.loss.clone() }, ..*options };
        let step = model.record_step(&x, &y, &options, state)?;
        drop(options);
        let launched = dry.counters().dispatches - launched;
        let look = before.is_some().then(|| model.look(state)).transpose()?;
        drop((before, x, step, look));
        Ok(launched)
    }
}

/// What the dry run came to since the last look.
fn entries(dry: &Device) -> Entries {
    dry.context().map(Context::take_entries).unwrap_or_default()
}

/// A network of these widths without content.
pub(crate) fn planned_model(dry: &Device, widths: &[usize]) -> Result<Mlp> {
    let shapes: Vec<_> = widths.windows(2).flat_map(|pair| [(pair[0], pair[1]), (1, pair[1])]).collect();
    let mut matrices = ops::bank::room(dry, "parameters", &shapes)?.into_iter();
    let mut layers = Vec::new();
    while let (Some(weights), Some(biases)) = (matrices.next(), matrices.next()) {
        layers.push(Dense::from_parameters(weights, biases)?);
    }
    Ok(Mlp::from_layers(dry, layers))
}

/// Class ids, or distributions, without content.
pub(crate) fn planned_targets(dry: &Device, rows: usize, classes: usize, distributed: bool) -> Result<Targets> {
    let kind = match dry.context() {
        _ if distributed => Kind::Distributions(Matrix::planned(dry, "distributions", rows, classes)?),
        Some(gpu) => Kind::GpuClasses(Arc::new(gpu.buffer("class ids", rows, 1)?)),
        None => Kind::CpuClasses(Arc::new(vec![0; rows])),
    };
    Ok(Targets::made(dry, rows, classes, kind))
}

/// Buffers of one purpose and shape together, in the order in which they were first asked for.
fn joined(gpu: Option<&Context>, entries: Entries) -> Vec<PlannedBuffer> {
    let mut buffers: Vec<PlannedBuffer> = Vec::new();
    for entry in entries.buffers {
        let same = |buffer: &&mut PlannedBuffer| {
            (buffer.purpose, buffer.rows, buffer.cols) == (entry.op, entry.rows, entry.cols)
        };
        if let Some(buffer) = buffers.iter_mut().find(same) {
            buffer.count += 1;
            continue;
        }
        let windows = gpu.map_or(1, |gpu| gpu.windows(entry.rows, entry.cols));
        let (purpose, rows, cols, bytes) = (entry.op, entry.rows, entry.cols, entry.bytes);
        buffers.push(PlannedBuffer { purpose, rows, cols, count: 1, bytes, windows });
    }
    buffers
}

/// `784-512-10`.
fn list(widths: &[usize]) -> String {
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        writeln!(f, "{:<24} {:>10} {:>10} {:>6} {:>14} {:>8}", "buffer", "rows", "cols", "count", "bytes", "windows")?;
        for PlannedBuffer { purpose, rows, cols, count, bytes, windows } in &self.buffers {
            writeln!(f, "{purpose:<24} {rows:>10} {cols:>10} {count:>6} {bytes:>14} {windows:>8}")?;
        }
        write!(f, "{} dispatches, {} bytes at most: ", self.dispatches, self.peak_bytes)?;
        match (&self.obstacle, self.allowed_bytes) {
            (Some(obstacle), _) => write!(f, "does not fit: {obstacle}"),
            (None, Some(allowed)) => write!(f, "fits the {allowed} allowed"),
            (None, None) => write!(f, "fits every limit that the device tells"),
        }
    }
}
