//! The kernels of the ops: declarations, parameters, buffers in between, launches.
//!
//! A file here knows buffers and shapes, and returns buffers. The op in `ops/` has the contract and the checks, and hands over
//! what its matrices hold.

pub(crate) mod products;
pub(crate) mod software;
