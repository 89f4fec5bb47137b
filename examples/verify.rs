//! Verifies every op on a device against the f64 reference and prints the parity report.
//!
//! ```text
//! cargo run --release --example verify -- --device gpu
//! ```
//!
//! The exit code is 0 when no element of any case is over its bound, 1 when one is, 2 when the run itself failed.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use wgpu_mlp::{Device, GpuOptions, Result, verify};

/// Verify every op of wgpu-mlp on this machine.
#[derive(Parser)]
struct Arguments {
    /// Where to run: a hardware GPU if there is one, the CPU path, or any GPU or software driver.
    #[arg(long, value_enum, default_value = "auto")]
    device: Choice,
    /// Compile the shaders with run-time checks.
    #[arg(long)]
    checked: bool,
    /// Leave the large cases out.
    #[arg(long)]
    quick: bool,
    /// Seed of the random inputs.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Auto,
    Cpu,
    Gpu,
}

fn main() -> ExitCode {
    match report(&Arguments::parse()) {
        Ok(report) => {
            println!("{report}");
            if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn report(arguments: &Arguments) -> Result<verify::Report> {
    let gpu = GpuOptions { runtime_checks: arguments.checked, ..Default::default() };
    let device = match arguments.device {
        Choice::Auto => Device::auto()?,
        Choice::Cpu => Device::cpu(),
        Choice::Gpu => Device::gpu_with(&gpu)?,
    };
    verify::run_with(&device, &verify::Options { seed: arguments.seed, full: !arguments.quick })
}
