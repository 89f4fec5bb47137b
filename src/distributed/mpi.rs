//! Ranks as the processes of an MPI job. One thread calls MPI, and other threads hand their values to it.

use std::fmt::Display;
use std::io::{Write, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use mpi::Threading;
use mpi::environment::Universe;
use mpi::traits::{Communicator as _, CommunicatorCollectives, Root};

use super::communicator::{CommunicationError, Communicator};
use super::launcher;
use super::ranks::Ranks;
use super::rounds::communication;
use crate::error::Error;
#[cfg(doc)]
use crate::error::RanksError;

/// The maximal number of bytes in one call of MPI. MPI counts them in 32 bits.
const MOST_BYTES: usize = 1 << 26;
/// The maximal number of values that are added at a time. Memory for them is allocated before MPI begins: a process that ran out
/// of memory during a sum would leave the others waiting.
const MOST_VALUES: usize = 1 << 24;

/// A job for the thread that calls MPI.
enum Job {
    Sum(Vec<f32>),
    Broadcast(usize, Vec<u8>),
    Exchange(Vec<u8>),
}

/// The result of a job.
enum Done {
    Values(Vec<f32>),
    Bytes(Vec<u8>),
}

/// A process of an MPI job, with the channels to the thread that calls MPI.
struct World {
    rank: usize,
    size: usize,
    local_rank: usize,
    /// The channels to the thread. They are `None` only while this value is dropped.
    line: Mutex<Option<(Sender<Job>, Receiver<Done>)>>,
    thread: Option<JoinHandle<()>>,
}

impl World {
    /// Begins MPI. A process can do this only once.
    fn begin() -> Result<Self, CommunicationError> {
        let ((jobs, to_do), (say, done), (tell, told)) = (channel(), channel(), channel());
        let mut room: Vec<f32> = Vec::new();
        room.try_reserve_exact(MOST_VALUES)?;
        let work = move || {
            let (universe, numbers) = match begun() {
                Ok(begun) => begun,
                Err(why) => {
                    let _ = tell.send(Err(why));
                    return;
                }
            };
            let world = universe.world();
            let _ = tell.send(Ok(numbers));
            for job in to_do {
                // The job is aborted after a panic. Otherwise MPI would end on this thread and wait for the other processes,
                // while these wait for this one.
                let Ok(done) = catch_unwind(AssertUnwindSafe(|| carried(&world, job, &mut room))) else {
                    let _ = writeln!(stderr(), "rank {}: a message panicked, which ends the job", numbers[0]);
                    world.abort(1);
                };
                if say.send(done).is_err() {
                    break;
                }
            }
            // MPI ends here, when the universe is dropped.
        };
        let thread = thread::Builder::new().name("wgpu-mlp mpi".into()).spawn(work)?;
        let [rank, size, local_rank] = told.recv().map_err(|_| "MPI could not begin")??;
        Ok(World { rank, size, local_rank, line: Mutex::new(Some((jobs, done))), thread: Some(thread) })
    }

    fn carry(&self, job: Job) -> Result<Done, CommunicationError> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let (jobs, done) = line.as_ref().ok_or("MPI has ended")?;
        jobs.send(job).map_err(|_| "MPI has ended")?;
        Ok(done.recv().map_err(|_| "MPI has ended")?)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The process must not end before MPI has ended.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Begins MPI on this thread. Returns it with the rank of the process, the number of all ranks, and the rank on its machine.
fn begun() -> Result<(Universe, [usize; 3]), CommunicationError> {
    // Asked before MPI begins, since a library may set variables for a process that is alone.
    let started = launcher::started(|name| std::env::var(name).ok());
    // Funneled: only this thread calls MPI, but the process has other threads.
    let begun = mpi::initialize_with_threading(Threading::Funneled);
    let (universe, provided) = begun.ok_or("MPI has begun in this process before, and can only once")?;
    if provided < Threading::Funneled {
        return Err("this MPI library allows no other threads in a process that uses it".into());
    }
    let world = universe.world();
    let local = world.split_shared(world.rank());
    let numbers = [world.rank(), world.size(), local.rank()].map(|number| number as usize);
    match launcher::mismatch(started, numbers[1]) {
        Some(words) => Err(words.into()),
        None => Ok((universe, numbers)),
    }
}

/// Does a job together with the other processes. `room` is kept between jobs, since allocating it would take as long as a
/// message.
fn carried(world: &impl CommunicatorCollectives, job: Job, room: &mut Vec<f32>) -> Done {
    match job {
        Job::Sum(mut values) => {
            let (length, size) = (values.len(), world.size() as usize);
            // There is memory for these zeros: see `Ranks::room_to_sum`.
            values.resize(length.next_multiple_of(size), 0.0);
            values.chunks_mut(MOST_VALUES / size * size).for_each(|values| sum(world, values, room));
            values.truncate(length);
            Done::Values(values)
        }
        Job::Broadcast(root, mut bytes) => {
            let process = world.process_at_rank(root as i32);
            bytes.chunks_mut(MOST_BYTES).for_each(|bytes| process.broadcast_into(bytes));
            Done::Bytes(bytes)
        }
        Job::Exchange(own) => {
            let mut all = vec![0; own.len() * world.size() as usize];
            world.all_gather_into(&own[..], &mut all[..]);
            Done::Bytes(all)
        }
    }
}

/// Adds the values of all processes. Each process adds one part of the values, in the order of the ranks, and sends the sums to
/// all. So the order of the additions is fixed, which `MPI_Allreduce` only recommends, and each value is sent twice, as in the
/// best algorithms for it. All parts have equal lengths.
fn sum(world: &impl CommunicatorCollectives, values: &mut [f32], room: &mut Vec<f32>) {
    if room.len() < values.len() {
        // The system may provide memory only when it is first written to. So only the needed part is written.
        room.resize(values.len(), 0.0);
    }
    let room = &mut room[..values.len()];
    world.all_to_all_into(&*values, room);
    let (sums, others) = room.split_at_mut(values.len() / world.size() as usize);
    for other in others.chunks_exact(sums.len().max(1)) {
        sums.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
    }
    world.all_gather_into(&*sums, values);
}

impl Communicator for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn local_rank(&self) -> usize {
        self.local_rank
    }

    fn sum(&self, values: &mut Vec<f32>) -> Result<(), CommunicationError> {
        if let Done::Values(sums) = self.carry(Job::Sum(std::mem::take(values)))? {
            *values = sums;
        }
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) -> Result<(), CommunicationError> {
        if let Done::Bytes(of_root) = self.carry(Job::Broadcast(root, std::mem::take(bytes)))? {
            *bytes = of_root;
        }
        Ok(())
    }

    fn exchange(&self, own: Vec<u8>) -> Result<Vec<u8>, CommunicationError> {
        match self.carry(Job::Exchange(own))? {
            Done::Bytes(all) => Ok(all),
            Done::Values(_) => Err("MPI gave values for bytes".into()),
        }
    }
}

impl Ranks {
    /// Runs a program on this rank of an MPI job. The process is one that `mpirun` or Slurm's `srun` has started; otherwise it is
    /// the only rank. MPI begins and ends in this call, so a process can call it only once.
    ///
    /// `program` should return, also after an error, and must not end the process. When it returns or panics, the other ranks are
    /// told; if the process ends, they are not.
    ///
    /// ```no_run
    /// use wgpu_mlp::distributed::Ranks;
    /// use wgpu_mlp::{Device, FitOptions, GpuOptions, Mlp, Trainer};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     Ranks::over_mpi(|ranks| {
    ///         let device = ranks.agree(Device::of_rank(ranks, &GpuOptions::default()))?;
    ///         // Or a file of this rank, or a slice of one that all can see.
    ///         let (x, labels) = (ndarray::Array2::<f32>::zeros((1000, 784)), vec![0u8; 1000]);
    ///         let mut model = Mlp::new(&device, &[784, 512, 10], 0)?;
    ///         let history = Trainer::new(&FitOptions::default()).over(ranks).fit(&mut model, &x, &labels)?;
    ///         println!("rank {}: {history}", ranks.rank());
    ///         Ok(())
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    /// [`RanksError::Communication`] if MPI cannot begin, and if the launcher has started several processes but MPI knows only this
    /// one, as when the launcher belongs to another MPI library; the error of the program; [`RanksError::Failed`] if another rank
    /// failed later.
    pub fn over_mpi<T, E: Display + From<Error>>(program: impl FnOnce(&Ranks) -> Result<T, E>) -> Result<T, E> {
        let world = World::begin().map_err(communication)?;
        Ranks::new(world).run(program)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::env;
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    /// The environment variable that tells the test below that it runs as a rank of its own job.
    const RANK: &str = "WGPU_MLP_PANICKING_RANK";

    /// The message panics since it names a rank that does not exist; no public call does that. The other rank waits for the
    /// message.
    #[test]
    fn a_message_that_panics_ends_the_job() {
        if env::var_os(RANK).is_some() {
            let world = World::begin().unwrap();
            let root = if world.rank == 1 { world.size } else { 1 };
            assert!(world.broadcast(root, &mut vec![0]).is_err(), "rank {} went on", world.rank);
            return;
        }
        let name = "distributed::mpi::tests::a_message_that_panics_ends_the_job";
        let (begun, mut job) = (Instant::now(), Command::new("mpirun"));
        job.args(["--oversubscribe", "--bind-to", "none", "--timeout", "300", "-n", "2"]);
        job.arg(env::current_exe().unwrap()).args([name, "--exact", "--nocapture"]).env(RANK, "1");
        job.envs(["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"].map(|variable| (variable, "1")));
        let ended = job.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none").output().unwrap();
        let words = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success(), "{words}");
        assert!(words.contains("rank 1: a message panicked, which ends the job"), "{words}");
        // The other rank would have waited until the launcher's deadline of 300 s.
        assert!(begun.elapsed().as_secs() < 250, "{words}");
    }
}
