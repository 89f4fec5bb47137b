//! A model that goes to NumPy and back: the same probabilities on both sides, to 1e-6.
//!
//! ```text
//! cargo run --release --features data --example numpy -- write target/numpy
//! python examples/numpy/forward.py target/numpy
//! cargo run --release --features data --example numpy -- read target/numpy
//! ```
//!
//! `write` trains a model, and writes it as `model.safetensors`, with features and the model's probabilities beside it.
//! `forward.py` runs that model in NumPy. Then it draws weights of its own, with the names of PyTorch's
//! `nn.Sequential(Linear, ReLU, Linear)`, and writes them as `numpy.safetensors`, with their probabilities. `read`
//! compares these with the probabilities of this crate. `pytorch.py` does the same in PyTorch.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::data::{read_npy, write_npy};
use wgpu_mlp::{Device, FitOptions, Mlp};

/// How far two probabilities of one model may be apart.
const CLOSE: f32 = 1e-6;

/// Takes a model to NumPy and back.
#[derive(Parser)]
struct Args {
    /// Write a model for NumPy, or read NumPy's
    what: What,
    /// Where the files are
    folder: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Write,
    Read,
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let Args { what, folder } = Args::parse();
    std::fs::create_dir_all(&folder)?;
    match what {
        What::Write => {
            let mut rng = ChaCha12Rng::seed_from_u64(7);
            let labels: Vec<usize> = (0..500).map(|row| row % 3).collect();
            let x = Array2::from_shape_fn((500, 8), |(r, c)| {
                let noise: f32 = StandardNormal.sample(&mut rng);
                noise + if c == labels[r] { 2.0 } else { 0.0 }
            });
            let mut model = Mlp::new(&Device::auto()?, &[8, 32, 3], 7)?;
            model.fit(x.view(), &labels, &FitOptions { epochs: 100, ..Default::default() })?;
            model.save(folder.join("model.safetensors"))?;
            write_npy(folder.join("x.npy"), x.view())?;
            write_npy(folder.join("probs.npy"), model.predict_proba(x.view())?.view())?;
            println!("accuracy {:.3}; wrote model.safetensors, x.npy and probs.npy", model.score(x.view(), &labels)?);
        }
        What::Read => {
            let model = Mlp::load(&Device::auto()?, folder.join("numpy.safetensors"))?;
            let probs = model.predict_proba(read_npy(folder.join("x.npy"))?.view())?;
            let theirs = read_npy(folder.join("numpy_probs.npy"))?;
            if probs.dim() != theirs.dim() {
                let (theirs, own) = (theirs.dim(), probs.dim());
                return Err(format!("numpy_probs.npy has {theirs:?} probabilities, and the model gives {own:?}").into());
            }
            // NaN counts as the largest.
            let apart = probs.iter().zip(&theirs).map(|(own, theirs)| (own - theirs).abs()).max_by(f32::total_cmp);
            let apart = apart.unwrap_or(0.0);
            println!("numpy.safetensors: probabilities at most {apart:.1e} apart");
            if apart.is_nan() || apart > CLOSE {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
