//! A task: rows to learn from, rows held out, and the model that learns.

use std::cell::{Cell, RefCell};

use js_sys::Function;
use wasm_bindgen::prelude::*;
use wgpu_mlp::ndarray::Array2;
use wgpu_mlp::{Device, Epoch, FitOptions, Mlp, Optimizer, Schedule};

use crate::js::{Answer, Fields, failed, object, refused};
use crate::until::until;

/// The most hidden layers. Nobody needs more on a page, and networks of more or wider layers need too much memory.
pub const MOST_LAYERS: usize = 8;
/// The most columns of a hidden layer.
pub const WIDEST: u32 = 4096;
const MOST_EPOCHS: u32 = 100_000;

/// Features and their classes.
pub struct Rows {
    /// Rows x features.
    pub features: Array2<f32>,
    /// A class for each row.
    pub labels: Vec<u8>,
}

/// Rows to learn from, rows held out, and the model that learns.
pub struct Task {
    /// The rows to learn from.
    pub train: Rows,
    /// The rows that the model never learns from.
    pub held: Rows,
    /// The number of classes.
    pub classes: usize,
    /// The model after its last epoch. A training has a clone of its own, so that others can use this one meanwhile.
    model: RefCell<Option<Mlp>>,
    epochs: Cell<usize>,
    running: Cell<bool>,
    stop: Cell<bool>,
}

/// The options of a training.
pub struct Wanted {
    hidden: Vec<usize>,
    fit: FitOptions,
    epochs: usize,
    /// The training ends when this accuracy on the training rows is reached.
    goal: f64,
}

impl Wanted {
    /// Reads what the page asks for.
    pub fn read(options: &JsValue) -> Answer<Self> {
        let fields = Fields(options);
        let epochs = fields.count("epochs", MOST_EPOCHS)?;
        let schedule = match fields.text("schedule")?.as_str() {
            "constant" => Schedule::Constant,
            "cosine" => Schedule::Cosine { epochs, minimum: 0.0 },
            _ => return Err(refused("the schedule must be constant or cosine")),
        };
        let fit = FitOptions {
            batch: fields.count("batch", 1 << 20)?,
            optimizer: optimizer(&fields)?,
            schedule,
            dropout: fields.number("dropout", true)? as f32,
            seed: fields.count("seed", u32::MAX)? as u64,
            ..Default::default()
        };
        Ok(Wanted {
            hidden: fields.counts("layers", MOST_LAYERS, WIDEST)?,
            fit,
            epochs,
            goal: fields.number("goal", false)?,
        })
    }
}

fn optimizer(fields: &Fields<'_>) -> Answer<Optimizer> {
    let (rate, decay) = (fields.number("rate", false)?, fields.number("decay", true)?);
    Ok(match fields.text("optimizer")?.as_str() {
        "sgd" => Optimizer::sgd(rate),
        "momentum" => Optimizer::momentum(rate, 0.9),
        "nesterov" => Optimizer::nesterov(rate, 0.9),
        "adagrad" => Optimizer::adagrad(rate),
        "rmsprop" => Optimizer::rmsprop(rate),
        "adam" => Optimizer::adam(rate),
        "adamw" => Optimizer::adamw(rate, decay),
        other => return Err(refused(&format!("there is no optimizer {other}"))),
    })
}

/// Records that a training has ended, also if its future was dropped.
struct Running<'a>(&'a Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Task {
    /// A task whose model has not learned anything.
    pub fn new(train: Rows, held: Rows, classes: usize) -> Self {
        let (running, stop) = (Cell::new(false), Cell::new(false));
        Task { train, held, classes, model: RefCell::new(None), epochs: Cell::new(0), running, stop }
    }

    /// The model after its last epoch.
    pub fn model(&self) -> Answer<Mlp> {
        self.model.borrow().clone().ok_or_else(|| refused("there is no network yet: train one or load one first"))
    }

    /// Replaces the model by another one.
    pub fn replace(&self, model: Mlp) -> Answer<()> {
        if self.running.get() {
            return Err(refused("a training is running: stop it first"));
        }
        *self.model.borrow_mut() = Some(model);
        self.epochs.set(0);
        Ok(())
    }

    /// Moves the model to another device; if its own device is lost, from its last copy on the host.
    pub async fn move_to(&self, device: &Device) -> Answer<()> {
        let Ok(model) = self.model() else { return Ok(()) };
        let moved = model.to_device_async(device).await.map_err(failed)?;
        *self.model.borrow_mut() = Some(moved);
        Ok(())
    }

    /// Asks the running training to stop.
    pub fn stop(&self) {
        self.stop.set(self.running.get());
    }

    /// Trains a new model, or continues with the present one, epoch by epoch, and reports each epoch.
    ///
    /// Every epoch is a partial fit, so that the optimizer's state is kept and a later call can continue from it.
    pub async fn train(&self, device: &Device, wanted: &Wanted, go_on: bool, tell: &Function) -> Answer {
        if self.running.replace(true) {
            return Err(refused("a training is running already"));
        }
        let _running = Running(&self.running);
        self.stop.set(false);
        let mut model = if go_on { self.model()? } else { self.fresh(device, wanted)? };
        let (mut accuracy, mut stopped) = (0.0, false);
        let mut done = if go_on { self.epochs.get() } else { 0 };
        for _ in 0..wanted.epochs {
            let fit = model.partial_fit_async(self.train.features.view(), &self.train.labels, &wanted.fit);
            let Some(epoch) = until(|| self.stop.get(), fit).await.transpose().map_err(failed)? else {
                stopped = true;
                break;
            };
            let held = model.evaluate_async(self.held.features.view(), &self.held.labels).await.map_err(failed)?;
            // The epoch's own accuracy is a mean over its steps, between which the weights changed.
            let reached = match wanted.goal <= 1.0 {
                true => model.score_async(self.train.features.view(), &self.train.labels).await.map_err(failed)?,
                false => epoch.accuracy,
            };
            accuracy = held.accuracy();
            done += 1;
            self.epochs.set(done);
            *self.model.borrow_mut() = Some(model.clone());
            let of_held = (held.mean_loss(), accuracy);
            tell.call1(&JsValue::UNDEFINED, &report(done, &epoch, reached, of_held))?;
            if reached >= wanted.goal {
                break;
            }
        }
        if stopped {
            accuracy = model.score_async(self.held.features.view(), &self.held.labels).await.map_err(failed)?;
            self.epochs.set(done);
            *self.model.borrow_mut() = Some(model);
        }
        let (accuracy, epochs) = (accuracy.into(), (done as f64).into());
        Ok(object([("accuracy", accuracy), ("epochs", epochs), ("stopped", stopped.into())]))
    }

    fn fresh(&self, device: &Device, wanted: &Wanted) -> Answer<Mlp> {
        let mut widths = vec![self.train.features.ncols()];
        widths.extend(&wanted.hidden);
        widths.push(self.classes);
        Mlp::new(device, &widths, wanted.fit.seed).map_err(failed)
    }
}

/// The values of an epoch that are reported to the page.
fn report(number: usize, epoch: &Epoch, accuracy: f64, (held_loss, held_accuracy): (f64, f64)) -> JsValue {
    object([
        ("epoch", (number as f64).into()),
        ("loss", epoch.loss.into()),
        ("accuracy", accuracy.into()),
        ("heldLoss", held_loss.into()),
        ("heldAccuracy", held_accuracy.into()),
        ("rate", epoch.learning_rate.into()),
        ("seconds", epoch.seconds.into()),
    ])
}
