//! The notebook that this crate grew out of, from top to bottom: a neural network from scratch in NumPy, in the manner
//! of the book "Neural Networks from Scratch in Python". Each formula stands as a comment, each step runs on this
//! crate, and each figure that the notebook prints is reproduced and checked.
//!
//! ```text
//! cargo run --release --example notebook
//! cargo run --release --example notebook -- --device cpu
//! cargo run --release --example notebook -- --help
//! ```
//!
//! By default the walk runs on the CPU path, and once more on a GPU or a software driver where there is one.
//!
//! A line shows the expected figure, this device's, and how far apart the two may be. Figures in text ("0.89528266") are the
//! notebook's own; the others are computed in f64 beside the call that they check. The first figure that does not agree ends
//! the walk with an error. Read on in the order of the modules: [`layers`], [`losses`], [`network`], [`gradients`]; what
//! "agree" means is derived in [`figures`].

mod choice;
mod figures;
mod gradients;
mod layers;
mod losses;
mod network;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use wgpu_mlp::Device;

use figures::Walk;

/// The result of every step. Errors are not handled here, only reported.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Walks through the notebook and checks each of its figures.
#[derive(Parser)]
struct Args {
    /// Where to compute: auto takes the CPU path and then a GPU if there is one, gpu also a software driver
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    device: Wanted,
}

/// The device asked for on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum Wanted {
    Auto,
    Cpu,
    Gpu,
}

fn main() -> ExitCode {
    match run(Args::parse().device) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed too, only the exit code can report the failure.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(wanted: Wanted) -> Result<()> {
    let devices = devices(wanted)?;
    let mut checked = 0;
    for device in &devices {
        writeln!(io::stdout(), "device  {}", device.info())?;
        checked += walk(device)?;
        writeln!(io::stdout())?;
    }
    let names: Vec<&str> = devices.iter().map(|device| device.info().name.as_str()).collect();
    writeln!(io::stdout(), "{checked} figures checked on {}: all agree", names.join(" and "))?;
    Ok(())
}

/// The devices to walk on, each in turn.
fn devices(wanted: Wanted) -> Result<Vec<Device>> {
    match wanted {
        Wanted::Cpu => Ok(vec![Device::cpu()]),
        Wanted::Gpu => Ok(vec![Device::gpu()?]),
        Wanted::Auto => {
            let by_name = env::var_os("WGPU_ADAPTER_NAME").is_some_and(|name| !name.is_empty());
            let (devices, reason) = choice::of_auto(Device::gpu(), by_name)?;
            if let Some(reason) = reason {
                writeln!(io::stdout(), "CPU path only: {reason}")?;
            }
            Ok(devices)
        }
    }
}

/// The whole notebook on one device; gives the number of figures checked.
fn walk(device: &Device) -> Result<usize> {
    let mut walk = Walk::new(device);

    layers::softmax_by_hand(&mut walk)?;
    layers::dense(&mut walk)?;
    layers::relu(&mut walk)?;
    layers::softmax(&mut walk)?;
    network::forward(&mut walk)?;

    losses::cross_entropy_by_hand(&mut walk)?;
    losses::confidences(&mut walk)?;
    losses::row_losses(&mut walk)?;
    losses::clipping(&mut walk)?;
    losses::accuracy(&mut walk)?;
    losses::softmax_and_loss(&mut walk)?;

    gradients::forward_and_backward(&mut walk)?;
    network::training(&mut walk)?;
    Ok(walk.checked())
}
