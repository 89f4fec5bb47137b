//! Errors of ranks that work together.

/// What keeps ranks from working together: see [`distributed`](crate::distributed).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RanksError {
    /// A rank failed. Every rank returns this error.
    #[error("rank {rank}: {source}")]
    Failed {
        /// The first rank that failed.
        rank: usize,
        /// The error itself on the rank that failed; on other ranks its message.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The ranks do not do the same.
    #[error("the ranks differ in {what}: {value} on rank {rank}, {wanted} on rank 0")]
    Differ {
        /// What differs: an option, a shape, the crate's version.
        what: String,
        /// The first rank that differs from rank 0.
        rank: usize,
        /// What is there.
        value: String,
        /// What is on rank 0.
        wanted: String,
    },
    /// A rank's messages could not be carried.
    #[error("the ranks cannot communicate: {source}")]
    Communication {
        /// The words of what carries them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
