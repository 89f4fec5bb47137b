//! Verifies every op on a device against the f64 reference and prints the parity report.
//!
//! ```text
//! cargo run --release --example verify -- --device gpu
//! cargo run --release --features serde --example verify -- --device gpu --json gpu.json
//! cargo run --release --features serde --example verify -- --compare cpu.json gpu.json
//! ```
//!
//! The exit code is 0 when no element of any case is over its bound, 1 when one is, 2 when the run itself failed.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use wgpu_mlp::{DebugOptions, Device, GpuOptions, MatrixUnits, Result, verify};

/// Verify every op of wgpu-mlp on this machine.
#[derive(Parser)]
struct Arguments {
    /// Where to run: a hardware GPU if there is one, the CPU path, or any GPU or software driver.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Compile the shaders with run-time checks; needs --device gpu.
    #[arg(long)]
    checked: bool,
    /// Give a software driver the kernels of a GPU, which it takes minutes to compile; needs --device gpu.
    #[arg(long)]
    kernels_for_gpus: bool,
    /// Compute products on matrix units; needs --device gpu.
    #[arg(long)]
    matrix_units: bool,
    /// Leave out the large cases.
    #[arg(long)]
    quick: bool,
    /// Seed of the random inputs.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the report to this file, too.
    #[cfg(feature = "serde")]
    #[arg(long, value_name = "FILE")]
    json: Option<std::path::PathBuf>,
    /// Run nothing: print reports from files side by side, and the differences of two.
    #[cfg(feature = "serde")]
    #[arg(long, num_args = 2.., value_name = "FILE", conflicts_with = "json")]
    compare: Option<Vec<std::path::PathBuf>>,
}

#[derive(Clone, Copy, ValueEnum)]
enum DeviceChoice {
    Auto,
    Cpu,
    Gpu,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(passed) => ExitCode::from(if passed { 0 } else { 1 }),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    #[cfg(feature = "serde")]
    if let Some(files) = &arguments.compare {
        let reports = files.iter().map(verify::SavedReport::load_json).collect::<Result<Vec<_>>>()?;
        println!("{}", verify::side_by_side(&reports));
        return Ok(reports.iter().all(verify::SavedReport::passed));
    }
    let report = report(arguments)?;
    println!("{report}");
    #[cfg(feature = "serde")]
    if let Some(path) = &arguments.json {
        report.save_json(path)?;
    }
    Ok(report.passed())
}

fn report(arguments: &Arguments) -> Result<verify::Report> {
    let Arguments { checked, kernels_for_gpus, matrix_units: units, .. } = *arguments;
    let matrix_units = if units { MatrixUnits::On } else { MatrixUnits::Off };
    let gpu = GpuOptions {
        runtime_checks: checked,
        matrix_units,
        debug: DebugOptions { kernels_for_gpus, ..Default::default() },
        ..Default::default()
    };
    let of_gpus = [("--checked", checked), ("--kernels-for-gpus", kernels_for_gpus), ("--matrix-units", units)];
    if !matches!(arguments.device, DeviceChoice::Gpu)
        && let Some((option, _)) = of_gpus.iter().find(|(_, is_on)| *is_on)
    {
        let conflict = format!("{option} needs --device gpu: the CPU path would ignore it");
        Arguments::command().error(ErrorKind::ArgumentConflict, conflict).exit();
    }
    let device = match arguments.device {
        DeviceChoice::Auto => Device::auto()?,
        DeviceChoice::Cpu => Device::cpu(),
        DeviceChoice::Gpu => Device::gpu_with(&gpu)?,
    };
    verify::run_with(&device, &verify::Options { seed: arguments.seed, full: !arguments.quick })
}
