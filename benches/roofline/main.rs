//! Each op's time, rate and share of what the adapter can do at most, as a table and as a roofline.
//!
//! ```text
//! cargo bench --bench roofline
//! cargo bench --bench roofline -- --filter matmul --quick
//! cargo bench --bench roofline -- --out docs/roofline
//! ```
//!
//! `--kernel medium` and `--matrix-units` open the device so that products take these.
//!
//! The sizes are those that fill the device, a hardware GPU or a software driver (`cases/sizes.rs`); `--sizes` chooses the
//! others.
//!
//! The adapter's multiply-add rate and copy bandwidth are measured first, and again beside each op. Operands are on the
//! device before an op is timed; times of compilation, upload and readback are listed separately. Every answer is checked
//! once against the CPU path's; a wrong one is named and not timed. The table goes to the terminal and, with the picture,
//! to `target/roofline` or another folder.

mod cases;
mod ceilings;
mod chart;
mod measure;
mod measured;
mod report;
mod timing;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use wgpu_mlp::{DebugOptions, Device, DeviceInfo, DeviceKind, GpuOptions, MatmulKernel, MatrixUnits};

use cases::{Case, Scale, Sizes};
use ceilings::{Ceilings, Gpu, Result};
use measure::{Outcome, measure};
use measured::Measured;

const REPEATS: usize = 7;
const QUICK_REPEATS: usize = 3;

/// Times every op against the adapter's own multiply-add rate and copy bandwidth.
#[derive(Parser)]
struct Args {
    /// Folder for roofline.md and roofline.png
    #[arg(long, default_value = "target/roofline")]
    out: PathBuf,
    /// Only cases whose op and shape hold this
    #[arg(long, default_value = "")]
    filter: String,
    /// One size of each op, and fewer repeats
    #[arg(long)]
    quick: bool,
    /// Sizes that fill a GPU, or those for drivers that run on the CPU; by default what the device is
    #[arg(long)]
    sizes: Option<Scale>,
    /// Let this kernel compute every product, where it can
    #[arg(long, value_parser = kernel)]
    kernel: Option<MatmulKernel>,
    /// Let products go through matrix units
    #[arg(long)]
    matrix_units: bool,
    /// What cargo passes to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    /// How the measured device is opened.
    fn options(&self) -> GpuOptions {
        let matrix_units = if self.matrix_units { MatrixUnits::On } else { MatrixUnits::Off };
        GpuOptions {
            matrix_units,
            debug: DebugOptions { matmul_kernel: self.kernel, ..Default::default() },
            ..Default::default()
        }
    }
}

/// The kernel of this name.
fn kernel(name: &str) -> std::result::Result<MatmulKernel, String> {
    let names = MatmulKernel::ALL.map(|kernel| format!("{kernel:?}").to_lowercase());
    let found = MatmulKernel::ALL.into_iter().zip(&names).find(|(_, known)| **known == name.to_lowercase());
    found.map(|(kernel, _)| kernel).ok_or_else(|| format!("there are {}", names.join(", ")))
}

fn main() -> ExitCode {
    let args = Args::parse();
    let device = match Device::gpu_with(&args.options()) {
        Ok(device) => device,
        Err(error) => {
            println!("The roofline was skipped: {error}");
            return ExitCode::SUCCESS;
        }
    };
    match run(&args, device.info()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, writes and draws; gives the number of wrong answers.
fn run(args: &Args, info: &DeviceInfo) -> Result<usize> {
    let gpu = Gpu::open(info)?;
    eprintln!("{info}");
    let found = if info.kind == DeviceKind::Gpu { Scale::Gpu } else { Scale::Cpu };
    let scale = args.sizes.unwrap_or(found);
    let sizes = Sizes::of(scale, info.max_binding_bytes.min(info.max_buffer_bytes));
    let ceilings = Ceilings::measure(&gpu, sizes.copy_bytes)?;
    eprintln!("multiply-add {}, copy {}", report::flop_rate(&ceilings.multiply_add), report::byte_rate(&ceilings.copy));

    let mut measured = Measured { info: info.clone(), scale, ceilings, timed: Vec::new(), wrong: Vec::new() };
    let repeats = if args.quick { QUICK_REPEATS } else { REPEATS };
    let wanted = |case: &Case| format!("{} {}", case.op, case.shape).contains(&args.filter);
    for case in cases::all(&sizes, args.quick).into_iter().filter(wanted) {
        match measure(&case, &args.options(), repeats, &mut measured.ceilings)? {
            Outcome::Timed(timing) => {
                let share = report::percent(measured.rate(&case, &timing).share);
                eprintln!("{} {}: {:.3} ms, {share} % of the floor", case.op, case.shape, 1e3 * timing.call);
                measured.timed.push((case, timing));
            }
            Outcome::Wrong(worst) => {
                eprintln!("wrong, and so not timed: {}", report::difference(&case, &worst));
                measured.wrong.push((case, worst));
            }
        }
    }

    let report = report::markdown(&measured);
    println!("{report}");
    fs::create_dir_all(&args.out)?;
    let (table, picture) = (args.out.join("roofline.md"), args.out.join("roofline.png"));
    fs::write(&table, report)?;
    chart::draw(&picture, &measured)?;
    eprintln!("wrote {} and {}", table.display(), picture.display());
    Ok(measured.wrong.len())
}
