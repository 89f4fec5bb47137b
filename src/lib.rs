//! Dense softmax classifiers on any GPU that wgpu reaches, or on the CPU; each op is verified against an f64 reference.
//!
//! # From a matrix to a trained model
//!
//! A [`Device`] is a GPU or the CPU path, chosen at run time. A [`Matrix`] holds `rows x cols` values of f32 on a device, and
//! [`Targets`] hold what the model should predict for each row. The functions of [`ops`] compute with them, the [`layers`] keep
//! what a backward pass needs, and [`Mlp`] uses both to train a model:
//!
//! ```
//! use ndarray::array;
//! use wgpu_mlp::{Device, FitOptions, Matrix, Mlp, Targets, ops};
//!
//! let device = Device::auto()?;
//! let logits = Matrix::from_array(&device, array![[4.8, 1.21, 2.385], [0.2, 0.9, -1.0]].view())?;
//! let targets = Targets::classes(&device, &[0, 1], 3)?;
//! let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?; // recorded, not awaited
//! let (dlogits, stats) = (head.dlogits(), head.stats()?); // reading waits
//! assert_eq!((dlogits.shape(), stats.accuracy()), ((2, 3), 1.0));
//!
//! let x = array![[0.0, 0.1], [1.0, 0.9], [0.1, 0.0], [0.9, 1.0]];
//! let mut model = Mlp::new(&device, &[2, 8, 2], 42)?;
//! model.fit(x.view(), &[0, 1, 0, 1], &FitOptions { epochs: 200, batch: 4, ..Default::default() })?;
//! assert_eq!(model.predict(x.view())?, [0, 1, 0, 1]);
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```
//!
//! The [`guide`] is a short book. Its pages are a first model, the mathematics, numerics, data, training, sizes, performance,
//! errors, matrix units, browsers, several machines, the calls of PyTorch, scikit-learn, Keras and Burn with this crate's
//! counterparts, and a glossary.
//!
//! # What it promises
//!
//! - **Results within their bounds, or an error.** Each op's documentation gives its error bound, and [`verify`] checks every op
//!   on your device against it. Wrong shapes, labels out of range, missing adapters and lost devices are [`Error`]s whose
//!   messages say what would be right.
//! - **NaN and infinity are data.** -inf is a legal logit. A row with NaN or +inf affects only its own outputs, and is counted in
//!   [`ops::Statistics`].
//! - **The same bits.** The same device and inputs give the same bits: reductions add in a fixed order, and kernels are chosen by
//!   shape.
//! - **No waits.** Ops are recorded. A call waits only if it reads a result, or if the device is 16 submits or 128 MiB of uploads
//!   behind. [`Device::counters`] shows how often.
//!
//! # Features
//!
//! - `full`: all features below except `mpi`. They need only a Rust toolchain.
//! - `data`: the module `data` reads and writes `.npy` files, reads safetensors and CSV, scales features, and splits rows.
//! - `parquet`: `data::ParquetRows`, Parquet files as sources of rows.
//! - `progress`: `ProgressBar`, a [`Callback`] for trainings.
//! - `plot`: `History::plot` draws loss and accuracy.
//! - `mpi`: [`distributed`] trainings over MPI, through the crate `mpi`. Building it needs an MPI library and libclang.
//! - `serde`: options and results can be written to configuration files and read from them, and parity reports are saved as JSON.
//! - `web`: GPUs in browsers, through WebGPU, for `wasm32-unknown-unknown`. Calls that block a thread do not exist there, but
//!   their `_async` forms do: see [`guide::browser`].
//!
//! The crate logs to `log`. Level info has the chosen device and the reason, and a training's begin, its end and why it ended.
//! Level debug has its epochs and checkpoints, and the compiled kernels with the time that compiling took. Level warn has memory
//! that runs short, steps that are undone, and sources that keep the device waiting. Level error has what the device or its
//! driver reports.
//!
//! Initial weights and the order of batches come from seeded generators on the host, so they are the same on every device.

mod cores;
mod cpu;
#[cfg(feature = "data")]
pub mod data;
mod device;
pub mod distributed;
mod error;
mod files;
mod gathered;
mod gpu;
pub mod guide;
mod host_memory;
pub mod layers;
mod matrix;
pub mod metrics;
mod mlp;
pub mod ops;
mod optim;
mod options;
mod plan;
mod planned;
#[cfg(feature = "plot")]
mod plot;
#[cfg(feature = "progress")]
mod progress;
#[cfg(feature = "serde")]
mod saved_number;
mod schedule;
mod shares;
pub mod source;
mod statistics;
mod storage;
mod targets;
mod tensor_file;
mod tuning;
pub mod verify;
mod waiting;

pub use device::{Counters, Device, DeviceInfo, DeviceKind, KernelSource, wgpu};
#[cfg(feature = "parquet")]
pub use error::ParquetError;
pub use error::{Error, FormatError, RanksError, ReadError, Result, Shape};
pub use matrix::Matrix;
pub use mlp::{
    Callback, ClassWeights, EarlyStopping, Epoch, FitOptions, History, Mlp, Monitor, Parameters, Run, Step,
    StepOptions, Trainer,
};
pub use optim::{Optimizer, OptimizerSnapshot, OptimizerState, Penalty};
#[doc(hidden)]
pub use options::DebugOptions;
pub use options::{GpuOptions, MatmulKernel, MatrixUnits};
pub use plan::{Plan, PlannedBuffer};
#[cfg(feature = "progress")]
pub use progress::ProgressBar;
pub use schedule::{LearningRate, Schedule, ScheduleProgress, ScheduleState};
pub use targets::{Label, Targets};
pub use tuning::TunedShape;

/// The versions of the crates whose types are in public signatures: arrays, and generators for [`layers::Dense::new`].
pub use {ndarray, rand};

#[cfg(all(doctest, feature = "data"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/interop.md")]
struct Interop;
