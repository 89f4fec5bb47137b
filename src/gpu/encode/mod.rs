//! Encoding: kernels as data, their pipelines and bind groups, and the recorder that puts dispatches into command buffers.

pub(in crate::gpu) mod bind_groups;
pub(in crate::gpu) mod budget;
pub(in crate::gpu) mod compile;
pub(in crate::gpu) mod form;
pub(in crate::gpu) mod grid;
pub(in crate::gpu) mod in_flight;
pub(in crate::gpu) mod kernel;
pub(in crate::gpu) mod ledger;
pub(in crate::gpu) mod live;
pub(in crate::gpu) mod pipelines;
pub(in crate::gpu) mod receipts;
pub(in crate::gpu) mod recorder;
pub(in crate::gpu) mod templates;
