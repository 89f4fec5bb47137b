//! Ranks as threads of one process: for several GPUs of one machine, and for trials of a program without a launcher.

use std::fmt::Display;
use std::panic::resume_unwind;
use std::thread;

use super::ranks::Ranks;
use super::threads::Thread;
use crate::error::Error;

impl Ranks {
    /// Runs a program on so many ranks, each a thread of this process, and returns what each of them returned.
    ///
    /// This is for several GPUs of one machine ([`Device::of_rank`](crate::Device::of_rank)), and for trials of a program without a launcher: the
    /// parameters have the same bits as over MPI with as many ranks. A panic on a rank goes on here, once all ranks have ended.
    ///
    /// ```
    /// use wgpu_mlp::distributed::Ranks;
    /// let ranks = Ranks::in_threads(3, |ranks| Ok::<_, wgpu_mlp::Error>(ranks.rank()));
    /// assert_eq!(ranks.into_iter().collect::<Result<Vec<_>, _>>()?, [0, 1, 2]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn in_threads<T: Send, E: Display + From<Error> + Send>(
        size: usize,
        program: impl Fn(&Ranks) -> Result<T, E> + Sync,
    ) -> Vec<Result<T, E>> {
        thread::scope(|scope| {
            let program = &program;
            let start = |rank: Thread| scope.spawn(move || Ranks::new(rank).run(program));
            let started: Vec<_> = Thread::all(size).map(start).collect();
            let ended: Vec<_> = started.into_iter().map(|thread| thread.join()).collect();
            ended.into_iter().map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }
}
