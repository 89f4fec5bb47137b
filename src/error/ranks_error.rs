//! Errors of ranks that work together.

/// An error of ranks that work together: see [`distributed`](crate::distributed).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RanksError {
    /// A rank failed. Every rank returns this error.
    #[error("rank {rank}: {source}")]
    Failed {
        /// The first rank that failed.
        rank: usize,
        /// On the rank that failed, the error itself; on the other ranks its message.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The ranks were given different settings, or are in different calls.
    #[error("the ranks differ in {what}: {value} on rank {rank}, {wanted} on rank 0")]
    Differ {
        /// The name of what differs: an option, a shape, the crate's version.
        what: String,
        /// The first rank that differs from rank 0.
        rank: usize,
        /// The value on that rank.
        value: String,
        /// The value on rank 0.
        wanted: String,
    },
    /// The ranks' messages could not be sent or received.
    #[error("the ranks cannot communicate: {source}")]
    Communication {
        /// The error of the communicator.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
