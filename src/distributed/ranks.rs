//! Ranks: what works together over a communicator, and the rounds in which it agrees.

use std::fmt::{self, Display};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::alone::Alone;
use super::communicator::{CommunicationError, Communicator};
use super::message::{Call, Message, Numbers};
use crate::error::{Error, RanksError, Result};

/// The most bytes of words in which a failed rank says what is wrong.
const MOST_WORDS: usize = 1 << 16;

/// This rank among those that work together: threads, processes, or machines.
///
/// Every rank runs the same program and makes the same calls in the same order. What fails on one of them is told to all in the
/// next round, so that each returns [`RanksError::Failed`] and none waits for ever; a rank that panics or ends early counts as failed. A process
/// that is killed ends the job as the job's launcher does it.
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
    communicator: Box<dyn Communicator>,
    /// The rank that has ended while others were in a call: nothing can be said any more.
    left: OnceLock<usize>,
    /// Whether the last round ended with an error, which all ranks have then.
    told: AtomicBool,
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

/// What another rank said, or what became of it.
#[derive(Debug)]
struct Told(String);

impl Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Told {}

/// An error of any kind, on its way into [`RanksError::Failed`].
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Ranks {
    /// The rank of this communicator. For those who have one of their own; it must not be used for anything else. Such a rank must
    /// make the calls that others make until all have ended: nobody is told where it ends before.
    pub fn new(communicator: impl Communicator + 'static) -> Self {
        Ranks { communicator: Box::new(communicator), left: OnceLock::new(), told: AtomicBool::new(false) }
    }

    /// A process by itself: what takes ranks then does what it does without.
    ///
    /// ```
    /// assert_eq!(wgpu_mlp::distributed::Ranks::alone().size(), 1);
    /// ```
    pub fn alone() -> Self {
        Ranks::new(Alone)
    }

    /// The number of this rank, from 0.
    pub fn rank(&self) -> usize {
        self.communicator.rank()
    }

    /// The number of all ranks.
    pub fn size(&self) -> usize {
        self.communicator.size()
    }

    /// The number of this rank among those of its machine.
    pub fn local_rank(&self) -> usize {
        self.communicator.local_rank()
    }

    /// This rank's share of so many rows, where all ranks can see all of them: neighbours, and as many on each rank, or one more.
    ///
    /// ```
    /// assert_eq!(wgpu_mlp::distributed::Ranks::alone().share_of(10), 0..10);
    /// ```
    pub fn share_of(&self, rows: usize) -> Range<usize> {
        let (each, more) = (rows / self.size(), rows % self.size());
        let first = |rank: usize| rank * each + rank.min(more);
        first(self.rank())..first(self.rank() + 1)
    }

    /// Agrees on the outcome of what each rank did by itself, such as opening its files: the value where all have one, or on all the error
    /// of the first rank that failed.
    ///
    /// # Errors
    /// [`RanksError::Failed`] with the rank that failed; there the source is the error itself. [`RanksError::Differ`] where another rank
    /// is in another call.
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
                // What came from ranks says which it was; all hear of it all the same.
                Ok(error) if matches!(*error, Error::Ranks(_)) => {
                    self.fail::<T>(Call::Agree, Told(error.to_string()).into()).and(Err(*error))
                }
                Ok(error) => self.fail(Call::Agree, error),
                Err(error) => self.fail(Call::Agree, error),
            },
        }
    }

    /// Ends a call: with the value where all ranks have one, else on all with the error of the first that failed. An error of the
    /// last round is known to all.
    pub(crate) fn settled<T>(&self, call: Call, outcome: Result<T>) -> Result<T> {
        match outcome {
            outcome if self.size() == 1 => outcome,
            Ok(value) => self.round(call, Ok(Numbers::default())).map(|_| value),
            Err(error @ Error::Ranks(_)) if self.told.load(Relaxed) => Err(error),
            Err(error) => self.fail(call, error.into()),
        }
    }

    /// Tells all that this rank has failed.
    fn fail<T>(&self, call: Call, cause: Cause) -> Result<T> {
        match self.round(call, Err(cause)) {
            Err(error) => Err(error),
            Ok(_) => Err(failed(self.rank(), Told("failed".into()).into())),
        }
    }

    /// One round, as [`Ranks::one_round`]; remembers whether it ended with an error.
    pub(crate) fn round(&self, call: Call, own: std::result::Result<Numbers, Cause>) -> Result<Vec<Numbers>> {
        let outcome = self.one_round(call, own);
        self.told.store(outcome.is_err(), Relaxed);
        outcome
    }

    /// One round: every rank says in which call it is, and gives its numbers or says what is wrong. Returns the numbers of all.
    fn one_round(&self, call: Call, own: std::result::Result<Numbers, Cause>) -> Result<Vec<Numbers>> {
        if let Some(rank) = self.left.get() {
            return Err(failed(*rank, Told("has ended".into()).into()));
        }
        let words = own.as_ref().err().map(|cause| shortened(cause.to_string()));
        let length = words.as_ref().map(|words| words.len() as u32);
        let own_message = Message { call, failed: length, numbers: *own.as_ref().unwrap_or(&Numbers::default()) };
        let all = self.communicator.exchange(own_message.bytes()).map_err(communication)?;
        let all = all.chunks(Message::BYTES).map(Message::read).collect::<std::result::Result<Vec<_>, _>>();
        let all = all.map_err(communication)?;
        if call != Call::Leave
            && let Some(rank) = all.iter().position(|message| message.call == Call::Leave)
        {
            // It is set once, since nothing is said afterwards.
            let _ = self.left.set(rank);
        }
        if let Some((rank, length)) = all.iter().enumerate().find_map(|(rank, one)| Some((rank, one.failed?))) {
            let mut told = match words {
                Some(words) if rank == self.rank() => words.into_bytes(),
                _ => vec![0; length as usize],
            };
            self.communicator.broadcast(rank, &mut told).map_err(communication)?;
            let source = match own {
                Err(cause) if rank == self.rank() => cause,
                Err(cause) => {
                    log::warn!(
                        "rank {}: {cause}; rank {rank} failed too, and is the one that is reported",
                        self.rank()
                    );
                    Told(String::from_utf8_lossy(&told).into_owned()).into()
                }
                _ => Told(String::from_utf8_lossy(&told).into_owned()).into(),
            };
            return Err(failed(rank, source));
        }
        let wanted = all.first().map_or(call, |first| first.call);
        if let Some(rank) = all.iter().position(|message| message.call != wanted) {
            let (value, wanted) = (all[rank].call.name().into(), wanted.name().into());
            let what = "the call that they are in".into();
            return Err(Error::Ranks(RanksError::Differ { what, rank, value, wanted }));
        }
        Ok(all.into_iter().map(|message| message.numbers).collect())
    }

    /// The bytes of all ranks, which may be of different lengths.
    pub(crate) fn gather(&self, call: Call, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut numbers = Numbers::default();
        numbers[0] = own.len() as u64;
        let lengths = self.round(call, Ok(numbers))?;
        let bytes = |(rank, length): (usize, &Numbers)| {
            let mut bytes = if rank == self.rank() { own.to_vec() } else { vec![0; length[0] as usize] };
            self.communicator.broadcast(rank, &mut bytes).map_err(communication)?;
            Ok(bytes)
        };
        lengths.iter().enumerate().map(bytes).collect()
    }

    /// Adds the values of all ranks, each in its place: all ranks call it with as many, and end with the same bits. For what a program adds
    /// up by itself.
    ///
    /// # Errors
    /// [`RanksError::Failed`] where another rank has failed or ended; [`RanksError::Differ`] where it is in another call, or has another
    /// number of values; [`RanksError::Communication`] where the messages could not be carried.
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
        self.same(Call::Sum, "the number of values to add", values.len() as u64)?;
        self.sum_behind_a_round(values)
    }

    /// [`Ranks::sum`] of what is known to be there on all ranks, as many values on each.
    pub(crate) fn sum_behind_a_round(&self, values: &mut Vec<f32>) -> Result<()> {
        self.communicator.sum(values).map_err(communication)
    }

    /// A round in which a number must be the same on all ranks.
    pub(crate) fn same(&self, call: Call, what: &str, own: u64) -> Result<()> {
        let mut numbers = Numbers::default();
        numbers[0] = own;
        let all = self.round(call, Ok(numbers))?;
        let other = all.iter().position(|numbers| numbers[0] != all[0][0]);
        other.map_or(Ok(()), |rank| {
            let (value, wanted) = (all[rank][0].to_string(), all[0][0].to_string());
            Err(self.seen_by_all(RanksError::Differ { what: what.into(), rank, value, wanted }))
        })
    }

    /// The error for what all ranks see alike, so that none has to be told.
    pub(crate) fn seen_by_all(&self, error: RanksError) -> Error {
        self.told.store(true, Relaxed);
        Error::Ranks(error)
    }

    /// Runs a program on this rank, and leaves the others in a last round that all of them have.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn run<T, E: Display + From<Error>>(
        self,
        program: impl FnOnce(&Ranks) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let leaving = Leaving { ranks: &self, call: Call::Leave };
        let outcome = program(&self);
        leaving.not_early();
        let own = outcome.as_ref().map(|_| Numbers::default()).map_err(|error| Told(error.to_string()).into());
        match (self.round(Call::Leave, own), outcome) {
            (Err(error), Ok(_)) => Err(error.into()),
            (_, outcome) => outcome,
        }
    }

    /// Tells all others, when it is dropped, that this rank has left a call by a panic, or by dropping its future: unless it
    /// is told that this is not early.
    pub(crate) fn leaving(&self, call: Call) -> Leaving<'_> {
        Leaving { ranks: self, call }
    }
}

/// A call of this rank, which ends early where this is dropped.
pub(crate) struct Leaving<'a> {
    ranks: &'a Ranks,
    call: Call,
}

impl Leaving<'_> {
    /// The call has come to its end.
    pub fn not_early(self) {
        std::mem::forget(self);
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let why = if std::thread::panicking() { "panicked" } else { "was dropped" };
        // The error is that of this rank, which nobody here is told any more.
        let _ = self.ranks.round(self.call, Err(Told(why.into()).into()));
    }
}

fn communication(source: CommunicationError) -> Error {
    Error::Ranks(RanksError::Communication { source })
}

fn failed(rank: usize, source: Cause) -> Error {
    Error::Ranks(RanksError::Failed { rank, source })
}

/// No more words than all ranks have room for.
fn shortened(mut words: String) -> String {
    let most = (0..=MOST_WORDS.min(words.len())).rev().find(|end| words.is_char_boundary(*end));
    words.truncate(most.unwrap_or(0));
    words
}
