//! Transfers: how fast matrices go to a device and come back, compared with the host's own copy; and the cost of a small
//! read compared with a wait alone.
//!
//! `cargo bench --bench transfers -- [--mib N] [--rounds N]`. Each round measures everything in turn, and medians are
//! printed. Every matrix holds random numbers, and the results of reads are compared before anything is timed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench")]

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use clap::Parser;
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::{Device, Matrix, ops};

#[derive(Parser)]
struct Options {
    /// Size of the large matrix.
    #[arg(long, default_value_t = 256)]
    mib: usize,
    #[arg(long, default_value = "15")]
    rounds: NonZeroUsize,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn normal(rows: usize, cols: usize) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let some: Vec<f32> = (0..65_537).map(|_| StandardNormal.sample(&mut rng)).collect();
    Array2::from_shape_fn((rows, cols), |(row, col)| some[(row * cols + col) % some.len()])
}

/// A measurement, and the times of its rounds.
struct Row {
    name: &'static str,
    bytes: usize,
    times: Vec<Duration>,
}

impl Row {
    fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

fn main() -> wgpu_mlp::Result<()> {
    let options = Options::parse();
    let device = Device::gpu()?;
    println!("{}", device.info());
    let (large, small) = (normal(options.mib << 10, 256), normal(16, 256));
    let (bytes, few) = (4 * large.len(), 4 * small.len());
    let (mut there, kept) = (large.clone(), Matrix::from_array(&device, large.view())?);
    assert_eq!(kept.to_array()?, large);
    let mut target = Matrix::from_array(&device, large.view())?;
    let x = Matrix::from_array(&device, small.view())?;
    assert_eq!(ops::relu(&x)?.to_array()?, small.mapv(|x| x.max(0.0)));

    let row = |name, bytes| Row { name, bytes, times: Vec::new() };
    let mut rows = [
        row("memcpy, one thread", bytes),
        row("upload", bytes),
        row("read into an array", bytes),
        row("a clone on the host", bytes),
        row("read to a new array", bytes),
        row("an op and a wait", few),
        row("an op and its read", few),
    ];
    for _ in 0..options.rounds.get() {
        let mut time = |index: usize, work: &mut dyn FnMut() -> wgpu_mlp::Result<()>| {
            let start = Instant::now();
            work()?;
            rows[index].times.push(start.elapsed());
            wgpu_mlp::Result::Ok(())
        };
        time(0, &mut || {
            there.as_slice_mut().unwrap().copy_from_slice(large.as_slice().unwrap());
            Ok(())
        })?;
        time(1, &mut || {
            target = Matrix::from_array(&device, large.view())?;
            device.wait()
        })?;
        time(2, &mut || kept.read_into(there.view_mut()))?;
        time(3, &mut || {
            drop(large.clone());
            Ok(())
        })?;
        time(4, &mut || kept.to_array().map(drop))?;
        time(5, &mut || {
            let _y = ops::relu(&x)?;
            device.wait()
        })?;
        time(6, &mut || ops::relu(&x)?.to_array().map(drop))?;
    }
    assert_eq!((target.to_array()?, &there), (large.clone(), &large));

    let memcpy = rows[0].median();
    println!("{:<22} {:>12} {:>10} {:>10}", "", "bytes", "ms", "GB/s");
    for row in &rows {
        let (time, bytes) = (row.median(), row.bytes);
        let rate = bytes as f64 / time.as_secs_f64() / 1e9;
        print!("{:<22} {bytes:>12} {:>10.3} {rate:>10.2}", row.name, 1e3 * time.as_secs_f64());
        match bytes == rows[0].bytes {
            true => println!("   {:.0} % of memcpy", 100.0 * memcpy.as_secs_f64() / time.as_secs_f64()),
            false => println!("   {:.2} of a wait", time.as_secs_f64() / rows[5].median().as_secs_f64()),
        }
    }
    Ok(())
}
