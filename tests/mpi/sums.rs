//! Sums of more values than are passed to MPI at a time.

use wgpu_mlp::Result;
use wgpu_mlp::distributed::Ranks;

/// More values than are added at a time, and not a multiple of the number of ranks.
const VALUES: usize = (1 << 24) + 3;

/// Adds values whose sums are exact in f32, so that every sum is known.
pub fn added(ranks: &Ranks) -> Result<String> {
    let (rank, size) = (ranks.rank(), ranks.size());
    let mut values: Vec<f32> = (0..VALUES).map(|place| (place % 1000 + rank) as f32).collect();
    ranks.sum(&mut values)?;
    let of_ranks: usize = (0..size).sum();
    let wrong = values.iter().enumerate().position(|(place, sum)| *sum != (size * (place % 1000) + of_ranks) as f32);
    assert_eq!((values.len(), wrong), (VALUES, None));
    Ok("well".into())
}
