//! The trait of communicators, which carry messages from rank to rank.

/// An error of a communicator, with its own message.
pub type CommunicationError = Box<dyn std::error::Error + Send + Sync>;

/// A communicator lets ranks, which are counted from 0, exchange and add values.
///
/// Every rank must make the same calls in the same order, with equal numbers of values. A call returns once it has received what
/// it needs from the other ranks. [`Ranks`](super::Ranks) makes sure of this, even if something fails on a rank. The crate has
/// three communicators: a process alone, threads of one process ([`Ranks::in_threads`](super::Ranks::in_threads)), and with the
/// feature `mpi` the processes of an MPI job.
///
/// The calls of a rank come one after the other, but not all from one thread: a training of a large model adds some of its
/// gradients on a thread of its own. If the communicator itself fails on a rank, it should fail on the others too: they may not
/// be told.
pub trait Communicator: Send + Sync {
    /// The number of this rank, counted from 0.
    fn rank(&self) -> usize;

    /// The number of all ranks.
    fn size(&self) -> usize;

    /// The number of this rank among the ranks on the same machine.
    fn local_rank(&self) -> usize;

    /// Adds the values of all ranks element by element. Every rank gets the same bits, which depend only on the values and on the
    /// number of ranks.
    ///
    /// # Errors
    /// The communicator's own error, if a message cannot be sent or received.
    fn sum(&self, values: &mut Vec<f32>) -> Result<(), CommunicationError>;

    /// Sends the bytes of rank `root` to all ranks, where they replace `bytes`. All ranks must pass equal lengths.
    ///
    /// # Errors
    /// The communicator's own error, if a message cannot be sent or received.
    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) -> Result<(), CommunicationError>;

    /// Returns the bytes of all ranks, in the order of the ranks. By this call ranks agree on their next step. Every rank must
    /// pass the same number of bytes.
    ///
    /// # Errors
    /// The communicator's own error, if a message cannot be sent or received.
    fn exchange(&self, own: Vec<u8>) -> Result<Vec<u8>, CommunicationError>;
}
