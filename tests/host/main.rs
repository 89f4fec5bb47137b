//! What needs no GPU: the CPU path, options and errors, files, documents, and the source's own rules.

#[path = "../awaiting/mod.rs"]
mod awaiting;
#[path = "../common/mod.rs"]
mod common;
#[path = "../contract/mod.rs"]
mod contract;
#[path = "../training/mod.rs"]
mod training;

mod async_forms;
mod broken_models;
mod cross_entropy;
#[cfg(feature = "data")]
mod data;
mod errors;
mod files;
mod fit;
#[cfg(feature = "serde")]
mod json;
mod layers;
mod metrics;
mod optimizers;
#[cfg(feature = "data")]
mod readme;
#[cfg(feature = "serde")]
mod reports;
mod source;
