//! The session: a device, the two tasks on it, and the calls that the worker makes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;
use wgpu_mlp::{Device, Mlp};

use crate::digits::{self, CLASSES, PIXELS};
use crate::js::{Answer, failed, object, refused};
use crate::speed::Job;
use crate::task::{MOST_LAYERS, Task, WIDEST, Wanted};
use crate::{device, parity, speed, spiral};

/// A device and the models that are trained on it. Calls may be made while others wait.
#[wasm_bindgen]
pub struct Session {
    device: RefCell<Device>,
    digits: RefCell<Option<Rc<Task>>>,
    spiral: Rc<Task>,
    job: RefCell<Option<Job>>,
    /// Whether the verification should stop.
    stop_verifying: Cell<bool>,
}

#[wasm_bindgen]
impl Session {
    /// A session on the CPU path, without digits.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::new_without_default, reason = "JavaScript has constructors, and no defaults")]
    pub fn new() -> Self {
        let (digits, job) = (RefCell::new(None), RefCell::new(None));
        let (device, spiral) = (RefCell::new(Device::cpu()), Rc::new(spiral::task()));
        Session { device, digits, spiral, job, stop_verifying: Cell::new(false) }
    }

    /// Opens `gpu` or `cpu`, moves the models to it, and describes it. Trainings must have ended.
    pub async fn open(&self, kind: String) -> Answer {
        let device = device::open(&kind).await?;
        let digits = self.digits.borrow().clone();
        for task in digits.iter().chain([&self.spiral]) {
            task.move_to(&device).await?;
        }
        self.job.borrow_mut().take();
        *self.device.borrow_mut() = device.clone();
        Ok(device::describe(&device))
    }

    /// Counts of the device's work, and its memory.
    pub fn counters(&self) -> JsValue {
        device::counters(&self.device.borrow())
    }

    /// Reads the digits, unpacked, and splits them.
    #[wasm_bindgen(js_name = readDigits)]
    pub fn read_digits(&self, csv: &str) -> Answer {
        let task = digits::read(csv)?;
        let (train, held) = (task.train.labels.len() as f64, task.held.labels.len() as f64);
        *self.digits.borrow_mut() = Some(Rc::new(task));
        Ok(object([("train", train.into()), ("held", held.into())]))
    }

    /// Trains the network of `digits` or `spiral`, or continues to train it, and reports each epoch to the page.
    pub async fn train(&self, task: String, options: JsValue, go_on: bool, tell: Function) -> Answer {
        let (task, wanted) = (self.task(&task)?, Wanted::read(&options)?);
        let device = self.device.borrow().clone();
        task.train(&device, &wanted, go_on, &tell).await
    }

    /// Asks a training to stop; it ends between two steps.
    pub fn stop(&self, task: &str) -> Answer<()> {
        self.task(task)?.stop();
        Ok(())
    }

    /// The network's predictions for the digits that were held out.
    #[wasm_bindgen(js_name = heldOut)]
    pub async fn held_out(&self) -> Answer {
        digits::held_out(&*self.digits()?).await
    }

    /// The probabilities of the ten digits, for rows of 64 pixels from 0 to 1.
    pub async fn probabilities(&self, features: Vec<f32>) -> Answer {
        digits::probabilities(&*self.digits()?, features).await
    }

    /// The network for digits as a safetensors file.
    #[wasm_bindgen(js_name = saveModel)]
    pub async fn save_model(&self) -> Answer {
        let bytes = self.digits()?.model()?.to_bytes_async().await.map_err(failed)?;
        Ok(Uint8Array::from(bytes.as_slice()).into())
    }

    /// Replaces the network by that of a safetensors file, and returns its widths. A file may be small and yet hold a network whose
    /// predictions take more memory than there is, so its layers are limited as those of a training are.
    #[wasm_bindgen(js_name = loadModel)]
    pub async fn load_model(&self, bytes: Vec<u8>) -> Answer {
        let device = self.device.borrow().clone();
        let model = Mlp::from_bytes(&device, &bytes).map_err(failed)?;
        let (inputs, classes) = (model.inputs(), model.classes());
        if (inputs, classes) != (PIXELS, CLASSES) {
            let found = format!("the file holds a network of {inputs} inputs and {classes} classes");
            return Err(refused(&format!("{found}; digits need {PIXELS} and {CLASSES}")));
        }
        let widths: Vec<usize> = model.layers().iter().map(|layer| layer.weights().cols()).collect();
        let (hidden, widest) = (widths.len().saturating_sub(1), widths.iter().copied().max().unwrap_or(classes));
        if hidden > MOST_LAYERS || widest > WIDEST as usize {
            let found = format!("the file holds a network of {hidden} hidden layers, at most {widest} wide");
            return Err(refused(&format!("{found}; the page takes at most {MOST_LAYERS}, at most {WIDEST} wide")));
        }
        self.digits()?.replace(model)?;
        let widths = std::iter::once(inputs).chain(widths).map(|width| JsValue::from_f64(width as f64));
        Ok(widths.collect::<js_sys::Array>().into())
    }

    /// The spiral's points.
    #[wasm_bindgen(js_name = spiralPoints)]
    pub fn spiral_points(&self) -> JsValue {
        spiral::points(&self.spiral)
    }

    /// The probabilities of the spiral's arms at each pixel of a map of the plane.
    #[wasm_bindgen(js_name = spiralRegions)]
    pub async fn spiral_regions(&self, side: u32) -> Answer {
        spiral::regions(&self.spiral, side).await
    }

    /// Verifies every op, and reports each case to the page.
    pub async fn verify(&self, full: bool, tell: Function) -> Answer {
        let device = self.device.borrow().clone();
        parity::run(&device, full, tell, &self.stop_verifying).await
    }

    /// Asks the verification to stop: it ends with an error.
    #[wasm_bindgen(js_name = stopVerifying)]
    pub fn stop_verifying(&self) {
        self.stop_verifying.set(true);
    }

    /// The shapes of the jobs that are measured.
    #[wasm_bindgen(js_name = speedShapes)]
    pub fn speed_shapes(&self) -> JsValue {
        speed::shapes()
    }

    /// Uploads a job's operands to the device.
    #[wasm_bindgen(js_name = speedPrepare)]
    pub async fn speed_prepare(
        &self,
        about: JsValue,
        first: Vec<f32>,
        second: Vec<f32>,
        labels: Vec<u8>,
    ) -> Answer<()> {
        let device = self.device.borrow().clone();
        self.job.borrow_mut().take();
        let job = Job::prepare(&device, &about, (first, second, labels)).await?;
        *self.job.borrow_mut() = Some(job);
        Ok(())
    }

    /// Runs the job this number of times and waits for the last run.
    #[wasm_bindgen(js_name = speedRun)]
    pub async fn speed_run(&self, times: u32) -> Answer<()> {
        let device = self.device.borrow().clone();
        let mut job = self.job()?;
        let ran = job.run(&device, times as usize).await;
        *self.job.borrow_mut() = Some(job);
        ran
    }

    /// The job's results at these indices; for a training step, the losses of as many steps.
    #[wasm_bindgen(js_name = speedSample)]
    pub async fn speed_sample(&self, places: Vec<u32>) -> Answer {
        let mut job = self.job()?;
        let found = job.sample(&places).await;
        *self.job.borrow_mut() = Some(job);
        found
    }

    /// Drops the job and its operands.
    #[wasm_bindgen(js_name = speedDrop)]
    pub fn speed_drop(&self) {
        self.job.borrow_mut().take();
    }
}

impl Session {
    fn digits(&self) -> Answer<Rc<Task>> {
        self.digits.borrow().clone().ok_or_else(|| refused("the digits are not loaded"))
    }

    fn task(&self, name: &str) -> Answer<Rc<Task>> {
        match name {
            "digits" => self.digits(),
            "spiral" => Ok(self.spiral.clone()),
            _ => Err(refused("the task must be digits or spiral")),
        }
    }

    /// Takes the job out of the session, so that it is not borrowed while it runs.
    fn job(&self) -> Answer<Job> {
        self.job.borrow_mut().take().ok_or_else(|| refused("no job is prepared, or it is running"))
    }
}
