//! Ranks over a communicator of the program's own, which gives one of them other sums than the others, or fails on it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::panic::resume_unwind;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use wgpu_mlp::distributed::{CommunicationError, Communicator, Ranks};
use wgpu_mlp::{Device, FitOptions, Result};

use crate::training::over_ranks::{self, Data, ROWS, Trained};
use crate::training::rich;

const SIZE: usize = 3;

/// The memory that the ranks share: the bytes of each rank, and the barrier at which they meet.
struct Table {
    bytes: Mutex<Vec<Vec<u8>>>,
    meeting: Barrier,
}

/// The way in which a rank's communicator works.
#[derive(Clone, Copy, Debug)]
enum Way {
    Well,
    /// It gives its rank other sums than the other ranks have, so that this rank makes other updates, as a device would that rounds
    /// otherwise.
    Drifts,
    /// It fails in the sum of this number, when the other ranks have theirs.
    Fails(usize),
    /// It panics there.
    Panics(usize),
}

/// A communicator of threads.
struct Own {
    rank: usize,
    way: Way,
    /// The number of sums so far.
    sums: AtomicUsize,
    table: Arc<Table>,
}

impl Own {
    /// Shares this rank's bytes and returns the bytes of all ranks.
    fn shared(&self, own: Vec<u8>) -> Vec<Vec<u8>> {
        self.table.bytes.lock().unwrap()[self.rank] = own;
        self.table.meeting.wait();
        let all = self.table.bytes.lock().unwrap().clone();
        self.table.meeting.wait();
        all
    }
}

impl Communicator for Own {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        SIZE
    }

    fn local_rank(&self) -> usize {
        self.rank
    }

    fn sum(&self, values: &mut Vec<f32>) -> Result<(), CommunicationError> {
        let all = self.shared(bytemuck::cast_slice::<f32, u8>(values).to_vec());
        let mut sums: Vec<f32> = bytemuck::pod_collect_to_vec(&all[0]);
        for other in &all[1..] {
            let other: Vec<f32> = bytemuck::pod_collect_to_vec(other);
            sums.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
        }
        let number = self.sums.fetch_add(1, Relaxed);
        match self.way {
            Way::Drifts => sums.iter_mut().for_each(|sum| *sum += 1e-3),
            Way::Fails(at) if at == number => return Err("cut off".into()),
            // Unlike `panic!`, this prints nothing.
            Way::Panics(at) if at == number => resume_unwind(Box::new("a communicator of a test")),
            _ => {}
        }
        *values = sums;
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) -> Result<(), CommunicationError> {
        *bytes = self.shared(std::mem::take(bytes)).swap_remove(root);
        Ok(())
    }

    fn exchange(&self, own: Vec<u8>) -> Result<Vec<u8>, CommunicationError> {
        Ok(self.shared(own).concat())
    }
}

/// The outcomes of a training on each rank, with this way for the last. This happens in a thread of its own, since a rank that ends
/// before the others would leave them at the barrier.
fn outcomes(way: Way, data: &Data, options: &FitOptions) -> Vec<thread::Result<Result<Trained>>> {
    let table = Arc::new(Table { bytes: Mutex::new(vec![Vec::new(); SIZE]), meeting: Barrier::new(SIZE) });
    let (data, options, (say, told)) = (data.clone(), options.clone(), channel());
    thread::spawn(move || {
        let train = |rank: usize| {
            let way = if rank == SIZE - 1 { way } else { Way::Well };
            let ranks = Ranks::new(Own { rank, way, sums: AtomicUsize::new(0), table: table.clone() });
            over_ranks::train(&Device::cpu(), &ranks, &data, &options)
        };
        let all: Vec<_> = thread::scope(|scope| {
            let train = &train;
            let threads: Vec<_> = (0..SIZE).map(|rank| scope.spawn(move || train(rank))).collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        let _ = say.send(all);
    });
    told.recv_timeout(Duration::from_secs(300)).expect("the ranks end in time")
}

/// The results of a training on each rank, with this way for the last.
fn trained(way: Way, options: &FitOptions) -> Result<Vec<Trained>> {
    outcomes(way, &Data::new().weighted(), options).into_iter().map(|outcome| outcome.unwrap()).collect()
}

#[test]
fn ranks_over_an_own_communicator_are_as_threads() -> Result<()> {
    let threads = over_ranks::train_over(&Device::cpu(), SIZE, &Data::new().weighted(), &rich())?;
    for own in trained(Way::Well, &rich())? {
        assert_eq!(own, threads);
    }
    Ok(())
}

/// The devices are of one kind, so nothing but the parameters themselves tells that they differ. Callbacks see the parameters after
/// every epoch, and checkpoints would have them.
#[test]
fn ranks_that_drift_apart_are_equal_after_every_epoch() -> Result<()> {
    let plain = FitOptions { epochs: 4, batch: 16, stop_on_non_finite: false, ..Default::default() };
    for options in [rich(), plain] {
        let alike = trained(Way::Well, &options)?;
        let drifting = trained(Way::Drifts, &options)?;
        // Otherwise nothing has drifted, and this test would show nothing.
        assert_ne!(drifting[0].bits, alike[0].bits);
        for (rank, other) in drifting.iter().enumerate() {
            assert!(other.by_epoch.len() > 1);
            assert_eq!(other, &drifting[0], "rank {rank} has drifted apart");
        }
    }
    Ok(())
}

/// A step of this model has three sums, of which a thread of the rank makes the first two. The fourth is the first of the next epoch.
/// A failure ends the training in the same way in all of them, and the other ranks are told.
#[test]
fn a_communicator_that_fails_in_any_sum_ends_the_training_on_all_ranks() {
    let (data, options) = (Data::new().wide(), FitOptions { epochs: 2, batch: ROWS, ..Default::default() });
    for at in 0..4 {
        let ways =
            [(Way::Fails(at), "rank 2: the ranks cannot communicate: cut off"), (Way::Panics(at), "rank 2: panicked")];
        for (way, words) in ways {
            for (rank, outcome) in outcomes(way, &data, &options).into_iter().enumerate() {
                let panics = matches!(way, Way::Panics(_)) && rank == SIZE - 1;
                assert_eq!(outcome.is_err(), panics, "{way:?}: rank {rank}");
                if let Ok(outcome) = outcome {
                    let error = outcome.err().map(|error| error.to_string());
                    assert_eq!(error.as_deref(), Some(words), "{way:?}: rank {rank}");
                }
            }
        }
    }
}
