//! Optimizers: how parameters follow their gradients, with penalties, and with a state that lives on the device.

mod optimizer;
mod penalty;
mod snapshot;
mod state;

pub use optimizer::Optimizer;
pub use penalty::Penalty;
pub use snapshot::OptimizerSnapshot;
pub use state::OptimizerState;
