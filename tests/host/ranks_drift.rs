//! Ranks over a communicator of the program's own, one of which makes other updates than the others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use wgpu_mlp::distributed::{CommunicationError, Communicator, Ranks};
use wgpu_mlp::{Device, FitOptions, Result};

use crate::training::over_ranks::{self, Data, Trained};
use crate::training::rich;

const SIZE: usize = 3;

/// The memory that the ranks share: the bytes of each rank, and the barrier at which they meet.
struct Table {
    bytes: Mutex<Vec<Vec<u8>>>,
    meeting: Barrier,
}

/// A communicator of threads. If it drifts, it gives its rank other sums than the other ranks have, so that this rank makes other
/// updates, as a device would that rounds otherwise.
struct Own {
    rank: usize,
    drifts: bool,
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
        if self.drifts {
            sums.iter_mut().for_each(|sum| *sum += 1e-3);
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

/// The results of a training on each rank, of which the last may drift. This happens in a thread of its own, since a rank that ends
/// before the others would leave them at the barrier.
fn trained(drifts: bool, options: &FitOptions) -> Result<Vec<Trained>> {
    let table = Arc::new(Table { bytes: Mutex::new(vec![Vec::new(); SIZE]), meeting: Barrier::new(SIZE) });
    let (options, (say, told)) = (options.clone(), channel());
    thread::spawn(move || {
        let train = |rank: usize| {
            let ranks = Ranks::new(Own { rank, drifts: drifts && rank == SIZE - 1, table: table.clone() });
            over_ranks::train(&Device::cpu(), &ranks, &Data::new().weighted(), &options)
        };
        let all = thread::scope(|scope| {
            let train = &train;
            let threads: Vec<_> = (0..SIZE).map(|rank| scope.spawn(move || train(rank))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<Vec<_>>>()
        });
        let _ = say.send(all);
    });
    told.recv_timeout(Duration::from_secs(300)).expect("the ranks end in time")
}

#[test]
fn ranks_over_an_own_communicator_are_as_threads() -> Result<()> {
    let threads = over_ranks::train_over(&Device::cpu(), SIZE, &Data::new().weighted(), &rich())?;
    for own in trained(false, &rich())? {
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
        let alike = trained(false, &options)?;
        let drifting = trained(true, &options)?;
        // Otherwise nothing has drifted, and this test would show nothing.
        assert_ne!(drifting[0].bits, alike[0].bits);
        for (rank, other) in drifting.iter().enumerate() {
            assert!(other.by_epoch.len() > 1);
            assert_eq!(other, &drifting[0], "rank {rank} has drifted apart");
        }
    }
    Ok(())
}
