//! Optimizers: the rules that update parameters by their gradients, penalties, and the state that a rule keeps on the device.

mod optimizer;
mod penalty;
mod snapshot;
mod state;

pub use optimizer::Optimizer;
pub use penalty::Penalty;
pub use snapshot::OptimizerSnapshot;
pub use state::OptimizerState;
