//! Training: from the options to single steps, whole epochs, and the trainer that users see.

mod batches;
mod begin;
mod callback;
mod callback_list;
mod checkpoints;
mod class_weights;
pub(crate) mod dry_step;
mod early_stopping;
mod epochs;
mod feed;
mod fit;
mod fit_rows;
mod flat;
mod history;
mod joint;
mod joint_steps;
mod non_finite;
mod options;
mod prepare;
mod read_ahead;
pub(super) mod state;
mod step_options;
pub(super) mod step_shape;
mod steps;
mod train_step;
mod trainer;
mod training;

pub use callback::{Callback, Run, Step};
pub use class_weights::ClassWeights;
pub use early_stopping::{EarlyStopping, Monitor};
pub use history::{Epoch, History};
pub use options::FitOptions;
pub use step_options::StepOptions;
pub use trainer::Trainer;
