//! Ranks as threads of one process: for several GPUs of one machine, and for trials of a program without a launcher.

use std::fmt::Display;
use std::panic::resume_unwind;
use std::sync::mpsc::channel;
use std::thread;

use super::ranks::Ranks;
use super::threads::Thread;
use crate::error::{Error, RanksError};

impl Ranks {
    /// Runs a program on this number of ranks, each a thread of this process, and returns the result of each.
    ///
    /// This is for several GPUs of one machine ([`Device::of_rank`](crate::Device::of_rank)), and for trials of a program without
    /// a launcher: the parameters have the same bits as over MPI with as many ranks. If a rank succeeds and another rank fails
    /// later, the first returns [`RanksError::Failed`] too. If the system has no thread for a rank, all ranks return
    /// [`RanksError::Communication`], and no program runs. If a rank panics, this call panics once all ranks have ended.
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
            let (program, mut gates, mut started) = (&program, Vec::new(), Vec::new());
            for rank in Thread::all(size) {
                // No rank begins before all threads exist. It would wait for a rank that never starts.
                let (gate, opened) = channel::<()>();
                let run = move || opened.recv().is_ok().then(|| Ranks::new(rank).run(program));
                match thread::Builder::new().spawn_scoped(scope, run) {
                    Ok(thread) => started.push(thread),
                    Err(error) => {
                        let source = error.to_string();
                        gates.clear();
                        let failed = || RanksError::Communication { source: source.clone().into() };
                        return (0..size).map(|_| Err(Error::Ranks(failed()).into())).collect();
                    }
                }
                gates.push(gate);
            }
            // Sending cannot fail, since each thread waits at its gate.
            gates.iter().for_each(|gate| gate.send(()).unwrap_or_default());
            let ended: Vec<_> = started.into_iter().map(|thread| thread.join()).collect();
            ended.into_iter().filter_map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }
}
