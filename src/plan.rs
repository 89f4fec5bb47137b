//! Plans: the memory and launches that a training step or a prediction will need, before anything is allocated.

use std::fmt;

use crate::device::{Device, DeviceKind};
use crate::error::{Error, Result};
use crate::gpu::{Context, Entries};
use crate::host_memory::not_empty;
use crate::matrix::Matrix;
pub(crate) use crate::mlp::planned_model;
use crate::mlp::{FitOptions, Mlp, StepShape, Trainer, check_widths};
use crate::ops;
pub(crate) use crate::planned::planned_targets;

/// A plan of a training step or a prediction: its buffers, dispatches and memory on a device, and whether it fits.
///
/// A plan is made by a dry run: the code of the step or prediction runs on a device that only counts. The plan counts the memory
/// of the crate's buffers. Staging memory for uploads and reads (up to about 192 MiB and 64 MiB) and the driver's own memory are
/// not included. wgpu does not tell how much memory a device has, so only the known limits are checked: the device's largest
/// buffer and grid, and [`GpuOptions::max_memory_bytes`](crate::GpuOptions::max_memory_bytes). On the CPU path the plan is that
/// of a GPU without limits, which is an upper bound on host memory.
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
    /// The title, which says what was planned.
    pub title: String,
    /// The buffers, in the order in which they are first needed.
    pub buffers: Vec<PlannedBuffer>,
    /// The number of kernels that are launched for one step, or for one batch of the prediction; 0 on the CPU path.
    pub dispatches: usize,
    /// The maximal memory that is held at a time. It is less than the sum of all buffers, since they are reused.
    pub peak_bytes: u64,
    /// The memory limit that the caller has set, if there is one.
    pub allowed_bytes: Option<u64>,
    /// The reason why the step or prediction does not fit, if it does not.
    pub obstacle: Option<Error>,
}

/// Planned buffers that have one purpose and one shape.
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
    /// The purpose of the buffers, or the op that makes them.
    pub purpose: &'static str,
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub cols: usize,
    /// The number of buffers with this purpose and shape. It counts only the first of two batches in flight.
    pub count: usize,
    /// The size of each buffer in bytes, with padding.
    pub bytes: u64,
    /// The number of blocks in which kernels access each buffer: 1 if a binding holds all of it.
    pub blocks: u64,
}

impl Plan {
    /// The plan of a step of [`Mlp::fit`](crate::Mlp::fit) for a network of these widths. It includes the second copy of
    /// parameters and optimizer state that [`FitOptions::stop_on_non_finite`] keeps.
    ///
    /// Small records of at most 1,024 steps whose losses have not been read yet are not included. For a training with row
    /// weights, use [`Trainer::plan`]. The validation is a prediction: see [`Plan::prediction`].
    ///
    /// # Errors
    /// [`Error::Option`] for fewer than two widths, or an option out of range; [`Error::Empty`] for a width of 0;
    /// [`Error::Shape`] unless there is a class weight for each class. A step that does not fit is not an error here:
    /// see [`Plan::obstacle`].
    pub fn training_step(device: &Device, widths: &[usize], options: &FitOptions) -> Result<Self> {
        Self::training(device, widths, options, false)
    }

    /// The plan of a training step. `weighted` says whether each row has a weight.
    fn training(device: &Device, widths: &[usize], options: &FitOptions, weighted: bool) -> Result<Self> {
        options.check(true, widths.len().saturating_sub(1))?;
        let batch = options.batch;
        let title = format!("training step of {}, batch {batch}", list(widths));
        Self::of(device, widths, title, |model, dry| {
            let mut state = options.optimizer_state(widths.len().saturating_sub(1));
            let step_options = options.planned_step(dry, model.classes())?;
            let checked = options.stop_on_non_finite;
            let step = StepShape { rows: batch, weighted, distributed: false, checked, over_ranks: false };
            let mut run = |model: &mut Mlp| {
                let launched = step.run(model, &step_options, &mut state)?;
                Ok((entries(dry), launched))
            };
            // The first step allocates the optimizer's state; the second copies it, as all later steps do.
            let ((mut buffers, _), (second, dispatches)) = (run(model)?, run(model)?);
            buffers.add_missing(second);
            Ok((buffers, dispatches))
        })
    }

    /// The plan of [`Mlp::predict`](crate::Mlp::predict) on this number of rows, for a network of these widths.
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
            // Two batches are in flight at a time, so the memory of a second one is planned too.
            let second = if rows > batch { Some(predict()?) } else { None };
            drop((first, second));
            Ok((buffers, dispatches))
        })
    }

    /// Whether the step or prediction fits all known limits.
    pub fn fits(&self) -> bool {
        self.obstacle.is_none()
    }

    /// The plan of the work that `run` does on a dry device, with a model of these widths.
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
        let allowed_bytes = device.context().and_then(|gpu| gpu.options().max_memory_bytes);
        let on_gpu = device.info().kind != DeviceKind::Cpu;
        let too_much = allowed_bytes.is_some_and(|allowed| peak_bytes > allowed);
        let (entries, dispatches, obstacle) = match outcome {
            Ok((entries, dispatches)) => {
                let obstacle = too_much.then_some(Error::OutOfMemory { bytes: peak_bytes, source: None });
                (entries, if on_gpu { dispatches as usize } else { 0 }, obstacle)
            }
            // The plan shows the dry run up to the error.
            Err(error @ (Error::Limit { .. } | Error::HostMemory { .. })) => (entries(&dry), 0, Some(error)),
            Err(error) => return Err(error),
        };
        let buffers = joined(dry.context(), entries);
        let title = format!("{title}, on {}", device.info().name);
        Ok(Plan { title, buffers, dispatches, peak_bytes, allowed_bytes, obstacle })
    }
}

impl Trainer<'_> {
    /// The plan of a step of this training on the model's device. It is that of [`Plan::training_step`], with the row weights if
    /// there are any. Over ranks it is the plan of one process: each rank has only its share of the batch, but needs additional
    /// room for up to two copies of all gradients.
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

/// Takes the entries that the dry run has recorded since the last call.
fn entries(dry: &Device) -> Entries {
    dry.context().map(Context::take_entries).unwrap_or_default()
}

/// Joins entries of one purpose and shape to planned buffers, in the order in which they were first needed.
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
        let blocks = gpu.map_or(1, |gpu| gpu.blocks(entry.rows, entry.cols));
        let (purpose, rows, cols, bytes) = (entry.op, entry.rows, entry.cols, entry.bytes);
        buffers.push(PlannedBuffer { purpose, rows, cols, count: 1, bytes, blocks });
    }
    buffers
}

/// The widths as text, such as `784-512-10`.
fn list(widths: &[usize]) -> String {
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        writeln!(f, "{:<24} {:>10} {:>10} {:>6} {:>14} {:>8}", "buffer", "rows", "cols", "count", "bytes", "blocks")?;
        for PlannedBuffer { purpose, rows, cols, count, bytes, blocks } in &self.buffers {
            writeln!(f, "{purpose:<24} {rows:>10} {cols:>10} {count:>6} {bytes:>14} {blocks:>8}")?;
        }
        write!(f, "{} dispatches, {} bytes at most: ", self.dispatches, self.peak_bytes)?;
        match (&self.obstacle, self.allowed_bytes) {
            (Some(obstacle), _) => write!(f, "does not fit: {obstacle}"),
            (None, Some(allowed)) => write!(f, "fits the {allowed} allowed"),
            (None, None) => write!(f, "fits every limit that the device tells"),
        }
    }
}
