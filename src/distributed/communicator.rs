//! The trait between a training and what carries its messages from rank to rank.

/// An error of what carries messages, in its own words.
pub type CommunicationError = Box<dyn std::error::Error + Send + Sync>;

/// A communicator: ranks that work together, counted from 0, and the calls by which they do.
///
/// Every rank makes the same calls in the same order, with as many values; a call returns once it has what it needs of the
/// others. [`Ranks`](super::Ranks) keeps to that, whatever fails on one of them. The crate has three: a process by itself,
/// threads of one process ([`Ranks::in_threads`](super::Ranks::in_threads)), and with the feature `mpi` the processes of an MPI
/// job.
pub trait Communicator: Send + Sync {
    /// The number of this rank.
    fn rank(&self) -> usize;

    /// The number of all ranks.
    fn size(&self) -> usize;

    /// The number of this rank among those of its machine.
    fn local_rank(&self) -> usize;

    /// Adds the values of all ranks, each in its place. Every rank ends with the same bits, which depend on the values and on the
    /// number of ranks alone.
    ///
    /// # Errors
    /// Its own, where a message cannot be carried.
    fn sum(&self, values: &mut Vec<f32>) -> Result<(), CommunicationError>;

    /// Sends the bytes of rank `root` to all ranks, whose own bytes they replace; all have the same length.
    ///
    /// # Errors
    /// Its own, where a message cannot be carried.
    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) -> Result<(), CommunicationError>;

    /// The bytes of all ranks, one rank's after the other's, by which they agree on what comes next. Every rank passes the same
    /// number of bytes.
    ///
    /// # Errors
    /// Its own, where a message cannot be carried.
    fn exchange(&self, own: Vec<u8>) -> Result<Vec<u8>, CommunicationError>;
}
