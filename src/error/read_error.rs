//! Errors of reading results back from a device.

/// An error while results are read back: the source of [`Error::Read`](crate::Error::Read).
///
/// ```
/// use wgpu_mlp::{Error, ReadError};
/// let overwritten = |error: &Error| matches!(error, Error::Read { source: ReadError::Guard { .. } });
/// assert!(overwritten(&Error::Read { source: ReadError::Guard { op: "clip_scale" } }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The wait for the device failed.
    #[error(transparent)]
    Poll(#[from] wgpu::PollError),
    /// Mapping the staging buffer failed.
    #[error(transparent)]
    Map(#[from] wgpu::BufferAsyncError),
    /// The mapped range of the staging buffer could not be accessed.
    #[error(transparent)]
    Range(#[from] wgpu::MapRangeError),
    /// A kernel wrote beyond the end of a buffer: of its output, or of one that only kernels use. Only devices with guarded
    /// buffers detect this.
    #[error("a kernel wrote behind the end of a buffer that was made for {op:?}")]
    Guard {
        /// The op or the kind of matrix that the buffer was made for.
        op: &'static str,
    },
}
