//! Mlp: a multilayer perceptron, with ReLU between its layers and softmax after the last.

mod checks;
mod class_names;
mod file;
mod model;
#[cfg(not(target_family = "wasm"))]
mod over_ranks;
mod predict;
mod score;
mod step;
mod stream;
mod train;
mod transfer;

pub use model::Mlp;
pub(crate) use model::check_widths;
pub(crate) use train::dry_step::{StepShape, planned_model};
pub use train::{
    Callback, ClassWeights, EarlyStopping, Epoch, FitOptions, History, Monitor, Run, Step, StepOptions, Trainer,
};

pub use crate::layers::parameters::Parameters;
