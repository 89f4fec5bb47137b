//! Ranks: a rank's handle to the others, through which they agree, add values and run programs.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, OnceLock};

use super::alone::Alone;
use super::communicator::Communicator;
use super::message::{Call, NOT_TOLD, Numbers};
#[cfg(doc)]
use crate::error::RanksError;
use crate::error::{Error, Result};
use crate::host_memory::no_room;

/// A rank of a group that works together: a thread, a process or a machine.
///
/// Every rank runs the same program, and makes the same calls in the same order, one after the other. This also holds for a
/// program with threads of its own. If something fails on a rank, all ranks are told in the next round, so that each returns
/// [`RanksError::Failed`] and none waits for ever. A rank that panics or ends early counts as failed. If a process is killed, the
/// job's launcher decides whether the other ranks end too.
///
/// ```
/// use wgpu_mlp::distributed::Ranks;
/// use wgpu_mlp::{Device, FitOptions, Mlp, Trainer};
///
/// let (x, labels) = (ndarray::array![[0.0], [1.0], [0.1], [0.9]], [0u8, 1, 0, 1]);
/// let options = FitOptions { epochs: 50, ..Default::default() };
/// let models = Ranks::in_threads(2, |ranks| {
///     let own = ranks.share_of(labels.len()); // rows 0 and 1, or 2 and 3
///     let mut model = Mlp::new(&Device::cpu(), &[1, 8, 2], 0)?;
///     let x = x.slice(ndarray::s![own.clone(), ..]);
///     Trainer::new(&options).over(ranks).fit(&mut model, x, &labels[own])?;
///     model.parameters()
/// });
/// assert_eq!(models[0].as_ref().unwrap(), models[1].as_ref().unwrap());
/// ```
pub struct Ranks {
    pub(super) communicator: Arc<dyn Communicator>,
    /// The rank that has ended while others were in a call. After that no messages are possible.
    pub(super) left: Arc<OnceLock<usize>>,
    /// The call of the last round, if it ended with an error, which all ranks then know. Otherwise [`NOT_TOLD`].
    pub(super) told: Arc<AtomicU8>,
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

impl Ranks {
    /// A rank over your own communicator, which must not be used for anything else. The rank must make the same calls as the
    /// others until all have ended: if it ends early, the others are not told.
    pub fn new(communicator: impl Communicator + 'static) -> Self {
        Ranks { communicator: Arc::new(communicator), left: Arc::default(), told: Arc::new(NOT_TOLD.into()) }
    }

    /// Another handle to this rank, for a thread that takes over its messages for a while.
    pub(crate) fn second_handle(&self) -> Self {
        let Ranks { communicator, left, told } = self;
        Ranks { communicator: communicator.clone(), left: left.clone(), told: told.clone() }
    }

    /// A single rank. Calls over it behave like calls without ranks.
    pub fn alone() -> Self {
        Ranks::new(Alone)
    }

    /// The number of this rank, counted from 0.
    pub fn rank(&self) -> usize {
        self.communicator.rank()
    }

    /// The number of all ranks.
    pub fn size(&self) -> usize {
        self.communicator.size()
    }

    /// The number of this rank among the ranks on the same machine.
    pub fn local_rank(&self) -> usize {
        self.communicator.local_rank()
    }

    /// This rank's share of this number of rows, for data that all ranks can read. The rows of a share lie one after the other.
    /// The sizes of the shares differ by at most one row.
    pub fn share_of(&self, rows: usize) -> Range<usize> {
        let size = self.size().max(1);
        let (each, more) = (rows / size, rows % size);
        let first = |rank: usize| rank * each + rank.min(more);
        first(self.rank())..first(self.rank() + 1)
    }

    /// Agrees on the outcome of work that each rank did by itself, such as opening files. If all ranks succeeded, each returns
    /// its own value. Otherwise all return the error of the first rank that failed.
    ///
    /// # Errors
    /// [`RanksError::Failed`] with the rank that failed; on that rank its source is the error itself. [`RanksError::Differ`] if
    /// another rank is in another call.
    ///
    /// ```
    /// use wgpu_mlp::distributed::Ranks;
    /// let outcomes = Ranks::in_threads(2, |ranks| {
    ///     let path = format!("no-such-file-{}", ranks.rank());
    ///     ranks.agree(std::fs::read(path).map(|bytes| bytes.len()))
    /// });
    /// assert!(outcomes[1].as_ref().unwrap_err().to_string().starts_with("rank 0: "));
    /// ```
    pub fn agree<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
        outcome: std::result::Result<T, E>,
    ) -> Result<T> {
        match outcome.map_err(Into::into) {
            Ok(value) => self.round(Call::Agree, Ok(Numbers::default())).map(|_| value),
            Err(error) => match error.downcast::<Error>() {
                // An error of an earlier round already names its rank. The other ranks are told it too.
                Ok(error) if matches!(*error, Error::Ranks(_)) => {
                    let _ = self.round(Call::Agree, Err(error.to_string().into()));
                    Err(*error)
                }
                Ok(error) => self.fail(Call::Agree, error),
                Err(error) => self.fail(Call::Agree, error),
            },
        }
    }

    /// Adds the values of all ranks element by element. All ranks call it with equal numbers of values, and get the same bits.
    /// This is for sums of the program itself.
    ///
    /// # Errors
    /// [`RanksError::Failed`] if another rank has failed or ended, or if a rank has no memory for the sum; [`RanksError::Differ`]
    /// if another rank is in another call, or has another number of values; [`RanksError::Communication`] if the messages could
    /// not be carried.
    ///
    /// ```
    /// use wgpu_mlp::distributed::Ranks;
    /// let sums = Ranks::in_threads(3, |ranks| {
    ///     let mut values = vec![1.0, ranks.rank() as f32];
    ///     ranks.sum(&mut values).map(|()| values)
    /// });
    /// assert_eq!(sums.into_iter().collect::<Result<Vec<_>, _>>()?, vec![vec![3.0, 3.0]; 3]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn sum(&self, values: &mut Vec<f32>) -> Result<()> {
        self.sum_in(Call::Sum, values)
    }

    /// Adds the values of all ranks as [`Ranks::sum`] does, as a part of this call.
    pub(crate) fn sum_in(&self, call: Call, values: &mut Vec<f32>) -> Result<()> {
        // Reserves as `room_to_sum` does, for values that already exist.
        if values.try_reserve_exact(self.most_zeros()).is_err() {
            let needed = values.len().saturating_add(self.most_zeros());
            return self.fail(call, no_room::<f32>("sum", needed, 1).into());
        }
        self.same(call, "the number of values to add", values.len() as u64)?;
        self.sum_after_a_round(values)
    }

    /// Makes a call over ranks, and returns the same outcome on all of them.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn in_call<T>(&self, call: Call, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let leaving = self.leaving(call);
        let outcome = work();
        leaving.not_early();
        self.settled(call, outcome)
    }

    /// Runs a program on this rank, then ends with a last round in which all ranks take part.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn run<T, E: fmt::Display + From<Error>>(
        self,
        program: impl FnOnce(&Ranks) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let leaving = self.leaving(Call::Leave);
        let outcome = program(&self);
        // The program's own error type may panic while it is converted to text. The other ranks are told of that too.
        let own = outcome.as_ref().map(|_| Numbers::default()).map_err(|error| error.to_string().into());
        leaving.not_early();
        match (self.round(Call::Leave, own), outcome) {
            (Err(error), Ok(_)) => Err(error.into()),
            (_, outcome) => outcome,
        }
    }
}
