//! How far a training has come, and the file that it can go on from.
//!
//! A checkpoint is a safetensors file of the model's tensors under `model.`, the best epoch's under `best.`, the optimizer's
//! under `optimizer.` and the slot's name, and three tensors of F64: `history`, a row an epoch; `schedule`; and `run`. The
//! optimizer's kind stands in the metadata, since several have slots of the same name.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use ndarray::Array2;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::header::{Opened, failed};
use super::history::{Epoch, History};
use super::options::FitOptions;
use super::{Mlp, Parameters};
use crate::error::{Error, Result};
use crate::files::replace;
use crate::optim::{OptimizerSnapshot, OptimizerState};
use crate::schedule::{self, LearningRate, ScheduleState};
use crate::waiting::Waiting;

/// What `run` holds first: files of another make are refused.
const VERSION: f64 = 1.0;
/// Where the metadata have the optimizer's kind.
const OPTIMIZER: &str = "optimizer";
/// The largest count that a file may hold: f64 counts by ones up to there.
const MOST: f64 = 9_007_199_254_740_992.0;
/// Numbers of an epoch in `history`.
const EPOCH_NUMBERS: usize = 9;

/// How far a training has come.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub optimizer: OptimizerState,
    pub schedule: ScheduleState,
    pub history: History,
    /// What early stopping watches, at its best; less is better.
    pub best_value: Option<f64>,
    pub best_parameters: Option<Vec<Parameters>>,
    /// Epochs since then.
    pub waited: usize,
}

impl Course {
    /// Before the first step.
    pub fn new(options: &FitOptions, model: &Mlp) -> Result<Self> {
        Ok(Course {
            optimizer: options.optimizer_state(model.layers.len()),
            schedule: schedule_state(options)?,
            history: History::default(),
            best_value: None,
            best_parameters: None,
            waited: 0,
        })
    }

    /// As far on as this, with the learning rate, schedule, penalties and clipping of these options.
    pub fn with_options(self, options: &FitOptions, model: &Mlp) -> Result<Self> {
        let optimizer = options.complete(self.optimizer, model.layers.len());
        let schedule = schedule_state(options)?.with_progress(self.schedule.progress());
        Ok(Course { optimizer, schedule, ..self })
    }
}

fn schedule_state(options: &FitOptions) -> Result<ScheduleState> {
    options.optimizer.check()?;
    let learning_rate = LearningRate { schedule: options.schedule, warm_up_steps: options.warm_up_steps };
    ScheduleState::new(learning_rate, options.optimizer.learning_rate())
}

/// One tensor of the file, as it will be written.
struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn f32(name: String, values: &Array2<f32>) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor { name, dtype: Dtype::F32, shape: values.shape().to_vec(), bytes }
    }

    fn f64(name: &str, shape: Vec<usize>, values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor { name: name.into(), dtype: Dtype::F64, shape, bytes }
    }
}

/// Writes a checkpoint, whole or not at all.
pub(super) async fn save(
    waiting: Waiting,
    path: &Path,
    model: &Mlp,
    course: &Course,
    options: &FitOptions,
    rows: usize,
) -> Result<()> {
    let mut tensors = Vec::new();
    parameter_tensors("model", &model.parameters_by(waiting).await?, &mut tensors);
    if let Some(best) = &course.best_parameters {
        parameter_tensors("best", best, &mut tensors);
    }
    let snapshot = course.optimizer.export_by(waiting, &model.parameter_shapes()).await?;
    for (slot, arrays) in options.optimizer.slots().iter().zip(&snapshot.slots) {
        let names = (0..).flat_map(|index| [format!("{index}.weights"), format!("{index}.biases")]);
        tensors.extend(
            arrays.iter().zip(names).map(|(array, name)| Tensor::f32(format!("optimizer.{slot}.{name}"), array)),
        );
    }
    let epochs = &course.history.epochs;
    let history: Vec<f64> = epochs.iter().flat_map(numbers).collect();
    tensors.push(Tensor::f64("history", vec![epochs.len(), EPOCH_NUMBERS], &history));
    let schedule::ScheduleProgress { steps, epochs, best_loss, stale_epochs, reductions } = course.schedule.progress();
    let [steps, epochs, stale, reductions] = [steps, epochs, stale_epochs, reductions].map(|count| count as f64);
    tensors.push(Tensor::f64("schedule", vec![5], &[steps, epochs, best_loss, stale, reductions]));
    let run = run_numbers(options, rows, course, snapshot.step);
    tensors.push(Tensor::f64("run", vec![run.len()], &run));

    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        Ok((&tensor.name, view.map_err(|source| failed(path, source))?))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let words = [(OPTIMIZER.to_owned(), options.optimizer.kind().to_owned())];
    let bytes =
        safetensors::serialize(views, Some(words.into_iter().collect())).map_err(|source| failed(path, source))?;
    replace(path, |file| file.write_all(&bytes))
}

/// Reads a checkpoint: the model gets its parameters, the rest comes back. Nothing changes where the file does not fit.
pub(super) fn load(path: &Path, model: &mut Mlp, options: &FitOptions, rows: usize) -> Result<Course> {
    let file = Tensors::read(path)?;
    let run = file.f64("run")?;
    let [version, of_rows, batch, seed_low, seed_high, step, waited, best_epoch, best_value] = run[..] else {
        return file.refuse("run", "must have nine numbers, as a checkpoint of this version has");
    };
    if [version, of_rows, batch] != [VERSION, rows as f64, options.batch as f64] {
        return file.refuse("run", "must be of this version, and of a training with as many rows and the same batch");
    }
    if [seed_low, seed_high] != seed_numbers(options.seed) {
        return file.refuse("run", "must be of a training with the same seed");
    }
    if file.optimizer.as_deref() != Some(options.optimizer.kind()) {
        return file.refuse("optimizer", "must be of a training with an optimizer of the same kind");
    }
    let shapes = model.parameter_shapes();
    let parameters = file.parameters("model", &shapes)?;
    let best_parameters = match file.has("best.0.weights") {
        true => Some(file.parameters("best", &shapes)?),
        false => None,
    };
    let slot = |slot: &&str| {
        let layers = file.parameters(&format!("optimizer.{slot}"), &shapes)?;
        Ok(layers.into_iter().flat_map(|layer| [layer.weights, layer.biases]).collect())
    };
    let slots = options.optimizer.slots().iter().map(slot).collect::<Result<_>>()?;
    let snapshot = OptimizerSnapshot { step: file.count("run", step)?, slots };
    let optimizer = options.complete(OptimizerState::restore(options.optimizer, snapshot)?, model.layers.len());
    let [steps, epochs, best_loss, stale, reductions] = file.f64("schedule")?[..] else {
        return file.refuse("schedule", "must have five numbers, as a checkpoint of this version has");
    };
    let schedule = schedule::ScheduleProgress {
        steps: file.count("schedule", steps)?,
        epochs: file.count("schedule", epochs)?,
        best_loss,
        stale_epochs: file.count("schedule", stale)?,
        reductions: file.count("schedule", reductions)?,
    };
    let schedule = schedule_state(options)?.with_progress(schedule);
    let history = file.history(best_epoch)?;
    let best_value = history.best_epoch.map(|_| best_value);
    let waited = usize::try_from(file.count("run", waited)?).unwrap_or(usize::MAX);
    if waited > history.epochs.len() {
        return file.refuse("run", "must not have waited for more epochs than there were");
    }
    *model = Mlp::from_host(&model.device.clone(), parameters)?;
    Ok(Course { optimizer, schedule, history, best_value, best_parameters, waited })
}

fn parameter_tensors(group: &str, layers: &[Parameters], tensors: &mut Vec<Tensor>) {
    for (index, layer) in layers.iter().enumerate() {
        tensors.push(Tensor::f32(format!("{group}.{index}.weights"), &layer.weights));
        tensors.push(Tensor::f32(format!("{group}.{index}.biases"), &layer.biases));
    }
}

fn seed_numbers(seed: u64) -> [f64; 2] {
    [f64::from(seed as u32), f64::from((seed >> 32) as u32)]
}

fn run_numbers(options: &FitOptions, rows: usize, course: &Course, step: u64) -> [f64; 9] {
    let [low, high] = seed_numbers(options.seed);
    let best_epoch = course.history.best_epoch.map_or(-1.0, |epoch| epoch as f64);
    let (batch, waited) = (options.batch as f64, course.waited as f64);
    [VERSION, rows as f64, batch, low, high, step as f64, waited, best_epoch, course.best_value.unwrap_or(f64::NAN)]
}

/// NaN for what was not validated.
fn numbers(epoch: &Epoch) -> [f64; EPOCH_NUMBERS] {
    [
        epoch.loss,
        epoch.accuracy,
        f64::from(u8::from(epoch.validation_loss.is_some())),
        epoch.validation_loss.unwrap_or(f64::NAN),
        epoch.validation_accuracy.unwrap_or(f64::NAN),
        epoch.learning_rate,
        epoch.rows as f64,
        epoch.non_finite_rows as f64,
        epoch.seconds,
    ]
}

/// The tensors of a file, by name.
struct Tensors<'a> {
    path: &'a Path,
    /// The kind of its optimizer.
    optimizer: Option<String>,
    places: HashMap<String, (Dtype, Vec<usize>, std::ops::Range<usize>)>,
    data: Vec<u8>,
}

impl<'a> Tensors<'a> {
    fn read(path: &'a Path) -> Result<Self> {
        let file = Opened::open(path)?;
        let place = |(name, tensor): (String, &safetensors::tensor::TensorInfo)| {
            (name, (tensor.dtype, tensor.shape.clone(), tensor.data_offsets.0..tensor.data_offsets.1))
        };
        let places = file.metadata().tensors().into_iter().map(place).collect();
        let words = file.metadata().metadata().as_ref();
        let optimizer = words.and_then(|words| words.get(OPTIMIZER)).cloned();
        Ok(Tensors { path, optimizer, places, data: file.data()? })
    }

    fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    fn bytes(&self, name: &str, dtype: Dtype) -> Result<(&[usize], &[u8])> {
        match self.places.get(name) {
            Some((found, shape, place)) if *found == dtype => {
                Ok((shape, self.data.get(place.clone()).unwrap_or_default()))
            }
            Some(_) => self.refuse(name, "must be of the type that checkpoints have there"),
            None => self.refuse(name, "is missing; a checkpoint of this training has it"),
        }
    }

    fn f64(&self, name: &str) -> Result<Vec<f64>> {
        let (_, bytes) = self.bytes(name, Dtype::F64)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    /// A number of this tensor that counts something.
    fn count(&self, tensor: &str, number: f64) -> Result<u64> {
        match number.fract() == 0.0 && (0.0..=MOST).contains(&number) {
            true => Ok(number as u64),
            false => self.refuse(tensor, "must count steps, epochs and rows in whole numbers from 0 to 2^53"),
        }
    }

    /// The history, with this number for its best epoch; -1 where there is none.
    fn history(&self, best_epoch: f64) -> Result<History> {
        let numbers = self.f64("history")?;
        let (epochs, rest) = numbers.as_chunks::<EPOCH_NUMBERS>();
        if !rest.is_empty() {
            return self.refuse("history", "must have nine numbers an epoch, as a checkpoint of this version has");
        }
        let epochs = epochs.iter().enumerate().map(|(index, numbers)| self.epoch(index, numbers));
        let epochs = epochs.collect::<Result<Vec<_>>>()?;
        let best_epoch = match best_epoch == -1.0 {
            true => None,
            false => Some(usize::try_from(self.count("run", best_epoch)?).unwrap_or(usize::MAX)),
        };
        if best_epoch.is_some_and(|best| best >= epochs.len()) {
            return self.refuse("run", "must have a best epoch that is in the history");
        }
        Ok(History { epochs, best_epoch })
    }

    fn epoch(&self, index: usize, numbers: &[f64; EPOCH_NUMBERS]) -> Result<Epoch> {
        let [loss, accuracy, validated, validation_loss, validation_accuracy, learning_rate, rows, bad_rows, seconds] =
            *numbers;
        let validated = validated != 0.0;
        Ok(Epoch {
            index,
            loss,
            accuracy,
            validation_loss: validated.then_some(validation_loss),
            validation_accuracy: validated.then_some(validation_accuracy),
            learning_rate,
            rows: self.count("history", rows)?,
            non_finite_rows: self.count("history", bad_rows)?,
            seconds,
        })
    }

    /// A matrix of this shape.
    fn matrix(&self, name: &str, shape: (usize, usize)) -> Result<Array2<f32>> {
        let (found, bytes) = self.bytes(name, Dtype::F32)?;
        if *found != [shape.0, shape.1] {
            return self.refuse(name, "must have the shape of the model's own");
        }
        let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Array2::from_shape_vec(shape, values)
            .or_else(|_| self.refuse(name, "must hold as many values as its shape says"))
    }

    fn parameters(&self, group: &str, shapes: &[(usize, usize)]) -> Result<Vec<Parameters>> {
        let layer = |(index, pair): (usize, &[(usize, usize)])| {
            let weights = self.matrix(&format!("{group}.{index}.weights"), pair[0])?;
            Ok(Parameters { weights, biases: self.matrix(&format!("{group}.{index}.biases"), pair[1])? })
        };
        shapes.chunks_exact(2).enumerate().map(layer).collect()
    }

    fn refuse<T>(&self, tensor: &str, rule: &'static str) -> Result<T> {
        Err(Error::Model { path: self.path.into(), tensor: tensor.into(), rule })
    }
}
