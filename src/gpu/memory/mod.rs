//! Device memory: buffers as the driver gives them, the pool that keeps them, and staging memory that the host reaches.

pub(in crate::gpu) mod copy;
pub(in crate::gpu) mod mark;
pub(in crate::gpu) mod pool;
pub(in crate::gpu) mod raw;
pub(in crate::gpu) mod staging;
