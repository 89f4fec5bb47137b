//! The interface to wgpu: adapters, the connection to a device, its errors and callbacks, and the thread that polls it.

pub(in crate::gpu) mod adapter;
pub(in crate::gpu) mod callback;
pub(in crate::gpu) mod connection;
#[cfg(not(target_family = "wasm"))]
pub(in crate::gpu) mod ending;
pub(in crate::gpu) mod errors;
#[cfg(target_family = "wasm")]
pub(in crate::gpu) mod event_loop;
#[cfg(target_family = "wasm")]
pub(in crate::gpu) mod internal_scope;
#[cfg(not(target_family = "wasm"))]
pub(in crate::gpu) mod poll_thread;
pub(in crate::gpu) mod scope;
pub(in crate::gpu) mod turns;
pub(in crate::gpu) mod type_erased;

/// The poller, which runs the callbacks of a device.
#[cfg(target_family = "wasm")]
pub(in crate::gpu) use event_loop::EventLoop as Poller;
#[cfg(not(target_family = "wasm"))]
pub(in crate::gpu) use poll_thread::PollThread as Poller;
