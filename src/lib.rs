//! wip
#![deny(unsafe_code)]
mod cpu;
mod device;
mod error;
mod gpu;
pub mod layers;
mod matrix;
mod mlp;
pub mod ops;
mod optim;
mod targets;
pub mod verify;

pub use device::{Counters, Device, DeviceInfo, DeviceKind, GpuOptions, wgpu};
pub use error::{Error, ReadError, Result, Shape};
pub use matrix::Matrix;
pub use mlp::{Epoch, FitOptions, History, Mlp};
pub use optim::{Optimizer, OptimizerState};
pub use targets::{Label, Targets};
