//! Trainings of the library over an assumed network, beside the steps that `overlap.rs` writes out by hand.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use mpi::Threading;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives, Root};
use ndarray::Array2;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::distributed::{CommunicationError, Communicator, Ranks};
use wgpu_mlp::{Device, FitOptions, Mlp, Optimizer, Trainer};

use crate::{Outcome, overlap};

/// The processes of an MPI job. After each sum a rank sleeps for as long as the network would need for it.
struct Slowed {
    network: Option<(f64, f64)>,
    /// Memory that is kept between sums.
    room: Mutex<Vec<f32>>,
}

impl Communicator for Slowed {
    fn rank(&self) -> usize {
        SimpleCommunicator::world().rank() as usize
    }

    fn size(&self) -> usize {
        SimpleCommunicator::world().size() as usize
    }

    fn local_rank(&self) -> usize {
        self.rank()
    }

    fn sum(&self, values: &mut Vec<f32>) -> Result<(), CommunicationError> {
        let (world, length, size) = (SimpleCommunicator::world(), values.len(), self.size());
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        values.resize(length.next_multiple_of(size), 0.0);
        if room.len() < values.len() {
            room.resize(values.len(), 0.0);
        }
        let room = &mut room[..values.len()];
        world.all_to_all_into(&values[..], room);
        let (sums, others) = room.split_at_mut(values.len() / size);
        for other in others.chunks_exact(sums.len().max(1)) {
            sums.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
        }
        world.all_gather_into(&*sums, &mut values[..]);
        values.truncate(length);
        let seconds = self.network.map_or(0.0, |network| overlap::seconds_of(length, size, network));
        thread::sleep(Duration::from_secs_f64(seconds));
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) -> Result<(), CommunicationError> {
        // MPI takes no message without bytes.
        if !bytes.is_empty() {
            SimpleCommunicator::world().process_at_rank(root as i32).broadcast_into(&mut bytes[..]);
        }
        Ok(())
    }

    fn exchange(&self, own: Vec<u8>) -> Result<Vec<u8>, CommunicationError> {
        let mut all = vec![0; own.len() * self.size()];
        SimpleCommunicator::world().all_gather_into(&own[..], &mut all[..]);
        Ok(all)
    }
}

/// Trains for two epochs, and prints on rank 0 the seconds of a step in the second.
pub fn run(task: &str) -> Outcome<()> {
    let (widths, rows, network) = overlap::task(task)?;
    // Two threads call MPI, though never at the same time.
    let begun = mpi::initialize_with_threading(Threading::Serialized).ok_or("MPI has begun before")?;
    let (_universe, provided) = begun;
    if provided < Threading::Serialized {
        return Err("this MPI library may be called by one thread alone".into());
    }
    let ranks = Ranks::new(Slowed { network, room: Mutex::default() });
    let mut rng = ChaCha12Rng::seed_from_u64(ranks.rank() as u64);
    let (all, batch) = (rows * overlap::STEPS, rows * ranks.size());
    let x = Array2::<f32>::from_shape_simple_fn((all, widths[0]), || StandardNormal.sample(&mut rng));
    let labels: Vec<u32> = (0..all).map(|_| rng.random_range(0..widths[widths.len() - 1] as u32)).collect();
    // The steps by hand check no values and keep no parameters of the step before.
    let options = FitOptions {
        epochs: 2,
        batch,
        optimizer: Optimizer::sgd(1e-3),
        stop_on_non_finite: false,
        ..Default::default()
    };
    let mut model = Mlp::new(&Device::cpu(), widths, 0)?;
    let history = Trainer::new(&options).over(&ranks).fit(&mut model, &x, &labels)?;
    if ranks.rank() == 0 {
        println!("seconds {}", history.epochs[1].seconds / overlap::STEPS as f64);
    }
    Ok(())
}
