//! Checkpoints, from which a training can be resumed.
//!
//! A checkpoint is a safetensors file. Its tensors are the model's parameters (`model.`), the parameters of the best epoch
//! (`best.`), the optimizer's slots (`optimizer.` and the slot's name), and three tensors of F64: `history` with a row for each
//! epoch, `schedule`, and `run`. Its metadata hold the kind of the optimizer, since several kinds have slots of the same name;
//! the quantity that early stopping monitors; and the names of the classes.

use std::path::Path;

use ndarray::Array2;

use super::checkpoint_tensors::{EPOCH_NUMBERS, MONITOR, OPTIMIZER, Tensors};
use super::layers::layer_of;
use super::written::{Written, file};
use crate::error::Result;
use crate::layers::parameters::Parameters;
use crate::mlp::train::state::{RowCounts, TrainingState};
use crate::mlp::{Epoch, FitOptions, History, Mlp, Monitor};
use crate::optim::{OptimizerSnapshot, OptimizerState};
use crate::schedule::{ScheduleProgress, ScheduleState};
use crate::waiting::Waiting;

/// The version of the format, the first number of `run`. Files of another version are refused.
const VERSION: f64 = 2.0;

/// The bytes of a checkpoint; errors name `path`.
pub(in crate::mlp) async fn bytes(
    waiting: Waiting,
    path: &Path,
    model: &Mlp,
    state: &TrainingState,
    options: &FitOptions,
    rows: RowCounts,
) -> Result<Vec<u8>> {
    let mut tensors = Vec::new();
    group_tensors("model", matrices(&model.parameters_by(waiting).await?), &mut tensors)?;
    if let Some(best) = &state.best_parameters {
        group_tensors("best", matrices(best), &mut tensors)?;
    }
    let snapshot = state.optimizer.export_by(waiting, &model.parameter_shapes()).await?;
    for (slot, arrays) in options.optimizer.slots().iter().zip(&snapshot.slots) {
        group_tensors(&format!("optimizer.{slot}"), arrays, &mut tensors)?;
    }
    let epochs = &state.history.epochs;
    let history: Vec<f64> = epochs.iter().flat_map(epoch_numbers).collect();
    tensors.push(Written::f64("history", vec![epochs.len(), EPOCH_NUMBERS], &history));
    tensors.push(Written::f64("schedule", vec![5], &schedule_numbers(state)));
    let run = run_numbers(options, rows, state, snapshot.step);
    tensors.push(Written::f64("run", vec![run.len()], &run));
    let texts = [(OPTIMIZER, options.optimizer.kind().to_string()), (MONITOR, monitor(options, rows))];
    let texts = texts.into_iter().chain(model.names_text());
    file(path, &tensors, texts)
}

/// Reads a checkpoint: replaces the model's parameters, and returns the training's state. If the model's classes have no names, they
/// get those of the checkpoint. The checkpoint is in these bytes, or else in the file with this path; errors name the path. If the
/// checkpoint does not fit the training, the model does not change.
pub(in crate::mlp) fn load(
    bytes: Option<&[u8]>,
    path: &Path,
    model: &mut Mlp,
    options: &FitOptions,
    rows: RowCounts,
) -> Result<TrainingState> {
    let file = match bytes {
        Some(bytes) => Tensors::split(path, bytes)?,
        None => Tensors::read(path)?,
    };
    let run = file.f64("run")?;
    let [version, all, batch, seed_low, seed_high, step, waited, best_epoch, best_value, trained] = run[..] else {
        return file.refuse("run", "must have ten numbers, as a checkpoint of this version has");
    };
    check_run(&file, [version, all, trained, batch, seed_low, seed_high], options, rows)?;
    if file.text(OPTIMIZER) != Some(options.optimizer.kind()) {
        return file.refuse("optimizer", "must be of a training with an optimizer of the same kind");
    }
    let shapes = model.parameter_shapes();
    // The first layers of a deeper model may fit: the training would continue with only a part of it.
    let is_behind = |name: &String| layer_of("model", name).is_some_and(|layer| layer >= model.layers.len());
    if let Some(surplus) = file.metadata().tensors().into_keys().filter(is_behind).min() {
        return file.refuse(&surplus, "must not be there, since the model to be trained has fewer layers");
    }
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
    // In a training every step updates all parameters, so no parameter has a step count of its own.
    let snapshot = OptimizerSnapshot { step: file.count("run", step)?, steps: Vec::new(), slots };
    let optimizer = options.complete(OptimizerState::restore(options.optimizer, snapshot)?, model.layers.len());
    let mut history = file.history(best_epoch)?;
    let schedule = load_schedule(&file, options, &history, rows)?;
    let best_value = history.best_epoch.map(|_| best_value);
    let waited = usize::try_from(file.count("run", waited)?).unwrap_or(usize::MAX);
    if waited > history.epochs.len() {
        return file.refuse("run", "must not have waited for more epochs than there were");
    }
    model.replace_parameters(parameters)?;
    // Otherwise the next checkpoint would lose the names.
    model.take_names_of(path, file.metadata());
    // A best value of another quantity cannot be compared. Without the parameters of the best epoch, there is nothing to restore.
    let restores = options.early_stopping.is_some_and(|stopping| stopping.restore_best) && history.best_epoch.is_some();
    if file.text(MONITOR) != Some(&monitor(options, rows)) || (restores && best_parameters.is_none()) {
        history.best_epoch = None;
        return Ok(TrainingState { optimizer, schedule, history, best_value: None, best_parameters: None, waited: 0 });
    }
    Ok(TrainingState { optimizer, schedule, history, best_value, best_parameters, waited })
}

/// Compares these numbers of a checkpoint's `run` with the training, and refuses the checkpoint of another training.
fn check_run(file: &Tensors<'_>, numbers: [f64; 6], options: &FitOptions, rows: RowCounts) -> Result<()> {
    let [version, all, trained, batch, seed_low, seed_high] = numbers;
    if version != VERSION {
        return file.refuse("run", "must be of this version of the format");
    }
    if all != rows.all as f64 {
        return file.refuse("run", "must be of a training with as many rows");
    }
    // With another split, the training could validate on rows that it was trained on.
    if trained != rows.trained as f64 {
        return file
            .refuse("run", "must be of a training with as many rows to train on, and as many held back to validate");
    }
    if batch != options.batch as f64 {
        return file.refuse("run", "must be of a training with the same batch");
    }
    if [seed_low, seed_high] != seed_numbers(options.seed) {
        return file.refuse("run", "must be of a training with the same seed");
    }
    Ok(())
}

/// The name of the quantity that decides which epoch is the best. Without validation rows it is the loss in training, even if the
/// options ask for the loss on validation rows.
fn monitor(options: &FitOptions, rows: RowCounts) -> String {
    let monitor = options.early_stopping.unwrap_or_default().monitor;
    format!("{:?}", if rows.validated { monitor } else { Monitor::Loss })
}

/// The schedule's state in a checkpoint.
fn load_schedule(
    file: &Tensors<'_>,
    options: &FitOptions,
    history: &History,
    rows: RowCounts,
) -> Result<ScheduleState> {
    let [steps, epochs, best_loss, stale, reductions] = file.f64("schedule")?[..] else {
        return file.refuse("schedule", "must have five numbers, as a checkpoint of this version has");
    };
    let progress = ScheduleProgress {
        steps: file.count("schedule", steps)?,
        epochs: file.count("schedule", epochs)?,
        best_loss,
        stale_epochs: file.count("schedule", stale)?,
        reductions: file.count("schedule", reductions)?,
    };
    // A plateau is a plateau of the validation loss if there are validation rows, else of the training loss. The two cannot be
    // compared, so the search for a plateau begins anew when the kind of loss changes.
    let goes_on = history.epochs.last().is_none_or(|last| last.validation_loss.is_some() == rows.validated);
    let anew = ScheduleProgress { best_loss: f64::INFINITY, stale_epochs: 0, ..progress };
    Ok(options.schedule_state()?.with_progress(if goes_on { progress } else { anew }))
}

/// The numbers of `schedule`.
fn schedule_numbers(state: &TrainingState) -> [f64; 5] {
    let ScheduleProgress { steps, epochs, best_loss, stale_epochs, reductions } = state.schedule.progress();
    [steps as f64, epochs as f64, best_loss, stale_epochs as f64, reductions as f64]
}

/// The matrices of these layers: the weights and then the biases of each.
fn matrices(layers: &[Parameters]) -> impl Iterator<Item = &Array2<f32>> {
    layers.iter().flat_map(|layer| [&layer.weights, &layer.biases])
}

/// Appends the tensors of matrices, which are weights and biases in turn, to `tensors`, under the group's name.
fn group_tensors<'a>(
    group: &str,
    matrices: impl IntoIterator<Item = &'a Array2<f32>>,
    tensors: &mut Vec<Written>,
) -> Result<()> {
    let names = (0..).flat_map(|index| [format!("{group}.{index}.weights"), format!("{group}.{index}.biases")]);
    for (values, name) in matrices.into_iter().zip(names) {
        tensors.push(Written::f32(name, values.shape().to_vec(), values.view())?);
    }
    Ok(())
}

/// The seed as two numbers: a single f64 cannot represent every u64.
fn seed_numbers(seed: u64) -> [f64; 2] {
    [f64::from(seed as u32), f64::from((seed >> 32) as u32)]
}

/// The numbers of `run`.
fn run_numbers(options: &FitOptions, rows: RowCounts, state: &TrainingState, step: u64) -> [f64; 10] {
    let [low, high] = seed_numbers(options.seed);
    let best_epoch = state.history.best_epoch.map_or(-1.0, |epoch| epoch as f64);
    let (batch, waited, best_value) = (options.batch as f64, state.waited as f64, state.best_value.unwrap_or(f64::NAN));
    let (all, trained) = (rows.all as f64, rows.trained as f64);
    [VERSION, all, batch, low, high, step as f64, waited, best_epoch, best_value, trained]
}

/// The numbers of an epoch in `history`. Values of a validation are NaN if there was none.
fn epoch_numbers(epoch: &Epoch) -> [f64; EPOCH_NUMBERS] {
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
