//! Options of devices, optimizers and products. They are plain data.

mod activation;
mod gpu;
mod optimizers;

pub use activation::Activation;
pub use gpu::{DebugOptions, GpuOptions, MatmulKernel, MatrixUnits};
pub use optimizers::{AdaGradOptions, AdamOptions, MomentumOptions, RmsPropOptions};
pub(crate) use optimizers::{CLIP_EPSILON, PenaltyRates};
