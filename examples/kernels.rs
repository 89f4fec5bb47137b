//! Writes the WGSL of every kernel variant as the driver gets it, a file each, its constants in place, and a list of them.
//!
//! ```text
//! cargo run --release --example kernels -- --out target/kernels
//! ```
//!
//! It runs the cases that are not large on the adapter: once for each kernel for products, once for each number of lanes that
//! share a row, and twice without subgroup operations. It writes what was compiled on the way, for people who read kernels,
//! and for compilers other than the driver's.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use wgpu_mlp::{DebugOptions, Device, Error, GpuOptions, KernelSource, MatmulKernel, MatrixUnits, verify};

/// Writes the WGSL of every kernel variant, a file each, and a list of them.
#[derive(Parser)]
struct Arguments {
    /// Where the files go; made if it is not there.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let for_software = |kernel| matches!(kernel, MatmulKernel::Direct | MatmulKernel::Panel | MatmulKernel::Plain);
    let units = if Device::gpu()?.info().has_matrix_units { MatrixUnits::On } else { MatrixUnits::Off };
    let products = MatmulKernel::ALL.map(|kernel| GpuOptions {
        matrix_units: units,
        debug: DebugOptions {
            matmul_kernel: Some(kernel),
            kernels_for_gpus: !for_software(kernel),
            ..Default::default()
        },
        ..Default::default()
    });
    let rows = [1, 16, 128, 256, 512, 1024].map(|lanes| GpuOptions {
        debug: DebugOptions { row_lanes: Some(lanes), ..Default::default() },
        ..Default::default()
    });
    let alone = [
        GpuOptions {
            debug: DebugOptions { row_lanes: Some(128), without_subgroups: true, ..Default::default() },
            ..Default::default()
        },
        GpuOptions {
            debug: DebugOptions {
                matmul_kernel: Some(MatmulKernel::Plain),
                without_subgroups: true,
                ..Default::default()
            },
            ..Default::default()
        },
    ];
    let mut variants = BTreeMap::new();
    for options in products.iter().chain(&rows).chain(&alone) {
        // A device may have too few threads a workgroup for so many lanes.
        let kernels = match compiled(options) {
            Err(Error::Option { .. }) => continue,
            kernels => kernels?,
        };
        for kernel in kernels {
            variants.entry(kernel.wgsl.clone()).or_insert(kernel);
        }
    }
    let mut variants: Vec<_> = variants.into_values().collect();
    variants.sort_by(|a, b| {
        a.name.cmp(b.name).then_with(|| a.constants.partial_cmp(&b.constants).unwrap_or(a.wgsl.cmp(&b.wgsl)))
    });

    fs::create_dir_all(&arguments.out)?;
    let mut list = String::from("| file | form | constants |\n|---|---|---|\n");
    for (number, kernel) in variants.iter().enumerate() {
        let file = format!("{number:03}-{}.wgsl", kernel.name);
        let constants: Vec<_> = kernel.constants.iter().map(|(name, value)| format!("{name} {value}")).collect();
        list += &format!("| {file} | {} | {} |\n", kernel.form.join(", "), constants.join(", "));
        fs::write(arguments.out.join(file), &kernel.wgsl)?;
    }
    fs::write(arguments.out.join("list.md"), list)?;
    println!("{} variants in {}", variants.len(), arguments.out.display());
    Ok(())
}

/// The kernels that a device with these options compiles for the table of cases.
fn compiled(options: &GpuOptions) -> wgpu_mlp::Result<Vec<KernelSource>> {
    let device = Device::gpu_with(options)?;
    for case in verify::cases().iter().filter(|case| !case.large) {
        case.run(&device, &case.inputs(0))?;
    }
    Ok(device.kernels())
}
