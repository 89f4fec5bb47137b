//! The work of a rank of the bench: training steps, sums and rounds, or MPI's own sum.

use std::time::Instant;

use mpi::collective::SystemOperation;
use mpi::traits::{Communicator, CommunicatorCollectives};
use ndarray::Array2;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, FitOptions, Mlp, Optimizer, Trainer};

use crate::{Outcome, ROWS, WIDTHS, overlap, parameters, trained};

/// The number of steps of a timed training, and of sums.
const STEPS: usize = 4;
const SUMS: usize = 30;
const MESSAGES: usize = 2000;

/// Does the task of this name, and prints on rank 0 the seconds of one repetition.
pub fn run(what: &str) -> Outcome<()> {
    if what == "allreduce" {
        return allreduce();
    }
    if let Some(task) = what.strip_prefix("overlap trained ") {
        return trained::run(task);
    }
    if let Some(task) = what.strip_prefix("overlap ") {
        return Ranks::over_mpi(|ranks| overlap::run(ranks, task));
    }
    Ranks::over_mpi(|ranks| {
        let seconds = match what {
            "step" => step(ranks, true)?,
            "apart" => step(ranks, false)?,
            "sum" => sum(ranks, &[parameters()])?,
            "layers" => {
                let layers: Vec<_> = WIDTHS.windows(2).rev().map(|pair| (pair[0] + 1) * pair[1]).collect();
                sum(ranks, &layers)?
            }
            _ => round(ranks)?,
        };
        if ranks.rank() == 0 {
            println!("seconds {seconds}");
        }
        Ok(())
    })
}

/// A step of a training, of all ranks or of this one by itself: the median of epochs of some steps, after one that is not
/// counted.
fn step(ranks: &Ranks, joint: bool) -> Outcome<f64> {
    let mut rng = ChaCha12Rng::seed_from_u64(ranks.rank() as u64);
    let rows = STEPS * ROWS;
    let x = Array2::<f32>::from_shape_simple_fn((rows, WIDTHS[0]), || StandardNormal.sample(&mut rng));
    let labels: Vec<u8> = (0..rows).map(|_| rng.random_range(0..10)).collect();
    let alone = Ranks::alone();
    let over = if joint { ranks } else { &alone };
    let (batch, optimizer) = (ROWS * over.size(), Optimizer::sgd(0.01));
    let options = FitOptions { epochs: 4, batch, optimizer, ..Default::default() };
    let mut model = Mlp::new(&Device::cpu(), &WIDTHS, 0)?;
    let history = Trainer::new(&options).over(over).fit(&mut model, &x, &labels)?;
    let mut seconds: Vec<_> = history.epochs[1..].iter().map(|epoch| epoch.seconds / STEPS as f64).collect();
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[seconds.len() / 2])
}

/// A sum of values in parts.
fn sum(ranks: &Ranks, parts: &[usize]) -> Outcome<f64> {
    let mut rng = ChaCha12Rng::seed_from_u64(ranks.rank() as u64);
    let mut parts: Vec<Vec<f32>> =
        parts.iter().map(|values| (0..*values).map(|_| rng.random::<f32>() * 1e-6).collect()).collect();
    let mut all = || -> Outcome<()> {
        parts.iter_mut().try_for_each(|values| ranks.sum(values))?;
        Ok(())
    };
    all()?;
    let begun = Instant::now();
    for _ in 0..SUMS {
        all()?;
    }
    Ok(begun.elapsed().as_secs_f64() / SUMS as f64)
}

/// A round of small messages.
fn round(ranks: &Ranks) -> Outcome<f64> {
    let begun = Instant::now();
    for _ in 0..MESSAGES {
        ranks.agree(Ok::<_, wgpu_mlp::Error>(()))?;
    }
    Ok(begun.elapsed().as_secs_f64() / MESSAGES as f64)
}

/// MPI's own sum, of as many values.
fn allreduce() -> Outcome<()> {
    let universe = mpi::initialize().ok_or("MPI has begun before")?;
    let world = universe.world();
    let mut rng = ChaCha12Rng::seed_from_u64(world.rank() as u64);
    let values: Vec<f32> = (0..parameters()).map(|_| rng.random::<f32>()).collect();
    let mut sums = vec![0f32; values.len()];
    world.all_reduce_into(&values[..], &mut sums[..], SystemOperation::sum());
    let begun = Instant::now();
    for _ in 0..SUMS {
        world.all_reduce_into(&values[..], &mut sums[..], SystemOperation::sum());
    }
    if world.rank() == 0 {
        println!("seconds {}", begun.elapsed().as_secs_f64() / SUMS as f64);
    }
    Ok(())
}
