//! Training over several ranks: threads, processes, or machines, each with its own device and its own rows.
//!
//! [`Trainer::over`](crate::Trainer::over) trains as one process would on the rows of all ranks, in the order of the ranks: with
//! the same batches, and with the gradient of the loss over all rows of each batch. Every rank ends with the same parameters, bit
//! for bit. The guide's page on [several machines](crate::guide::several_machines) shows how to start such a job.
//!
//! [`Ranks`] represents the ranks in a program. A [`Communicator`] carries the messages between them.

mod alone;
mod communicator;
#[cfg(not(target_family = "wasm"))]
mod in_threads;
#[cfg(feature = "mpi")]
mod launcher;
mod leaving;
mod message;
#[cfg(feature = "mpi")]
mod mpi;
mod ranks;
mod rounds;
#[cfg(not(target_family = "wasm"))]
mod threads;

pub use communicator::{CommunicationError, Communicator};
pub(crate) use message::{Call, Numbers};
pub use ranks::Ranks;
pub(crate) use rounds::communication;
