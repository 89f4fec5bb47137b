//! How wgpu is spoken to: adapters, one connection to a device, its errors, its callbacks, and the thread that polls it.

pub(in crate::gpu) mod adapter;
pub(in crate::gpu) mod callback;
pub(in crate::gpu) mod connection;
pub(in crate::gpu) mod ending;
pub(in crate::gpu) mod errors;
pub(in crate::gpu) mod poll_thread;
pub(in crate::gpu) mod turns;
pub(in crate::gpu) mod type_erased;
