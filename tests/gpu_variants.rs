//! The cases with every kernel for products and every number of lanes a row, whatever the device would choose, with subgroup
//! operations and without; with --full also with run-time checks, and on stacks whose cases are reduced.

mod common;

use std::process::ExitCode;

use libtest_mimic::Failed;
use wgpu_mlp::verify::{self, Case};
use wgpu_mlp::{Device, GpuOptions, MatmulKernel};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    // There, Mesa's compiler takes ten times as long over loops that are written out.
    let on_gl = std::env::var("WGPU_MLP_STACK").as_deref() == Ok("gl");
    let checks: &[bool] = if common::full() { &[false, true] } else { &[false] };
    if !common::full() && !common::skipping() {
        common::say("skipped: the same with run-time checks, which takes --full");
    }
    for &runtime_checks in checks {
        let checked = if runtime_checks { " [checked]" } else { "" };
        for kernel in MatmulKernel::ALL {
            // Tiles are one text, so that checks in one are checks in all, and take long to compile.
            let is_tile = !matches!(kernel, MatmulKernel::Direct | MatmulKernel::Panel | MatmulKernel::Plain);
            if runtime_checks && is_tile && kernel != MatmulKernel::Small {
                continue;
            }
            let options =
                GpuOptions { matmul_kernel: Some(kernel), runtime_checks, guarded_buffers: true, ..Default::default() };
            trials.push(common::trial(format!("products by {kernel:?}{checked}"), options, move |device| {
                within_bounds(device, |case| is_product(case) && (!case.large || (common::full() && !runtime_checks)))
            }));
        }
        // Windows, so that products go on with what earlier steps of k have left in c.
        for kernel in [MatmulKernel::Panel, MatmulKernel::Direct, MatmulKernel::Plain, MatmulKernel::Small] {
            let options = GpuOptions {
                matmul_kernel: Some(kernel),
                max_binding_bytes: Some(4096),
                runtime_checks,
                guarded_buffers: true,
                ..Default::default()
            };
            trials.push(common::trial(format!("products by {kernel:?} in windows{checked}"), options, move |device| {
                within_bounds(device, |case| is_product(case) && !case.large)
            }));
        }
        // As GPUs get them, loops written out: which takes software drivers long to compile.
        if on_gl && !runtime_checks {
            common::say("skipped: kernels for GPUs, which OpenGL's software driver takes too long to compile");
        }
        if common::full() && common::full_cases() && !runtime_checks && !on_gl {
            for kernel in [None, Some(MatmulKernel::Large), Some(MatmulKernel::Medium)] {
                let options = GpuOptions {
                    matmul_kernel: kernel,
                    kernels_for_gpus: true,
                    guarded_buffers: true,
                    ..Default::default()
                };
                let name = kernel.map_or("as chosen for GPUs".into(), |kernel| format!("by {kernel:?} for GPUs"));
                trials.push(common::trial(format!("products {name}"), options, move |device| {
                    within_bounds(device, |case| is_product(case) && (kernel.is_none() || case.dims[0] >= 256))
                }));
            }
        }
        // About as long as rows are that get so many lanes: each length more is a variant more to compile.
        for (lanes, cols) in [(1, 1..=64), (16, 3..=260), (128, 17..=4100), (256, 1000..=usize::MAX)] {
            let options =
                GpuOptions { row_lanes: Some(lanes), runtime_checks, guarded_buffers: true, ..Default::default() };
            trials.push(common::trial(format!("rows by {lanes} lanes{checked}"), options, move |device| {
                let suits = |case: &Case| !is_by_row(case) || cols.contains(&case.dims[1]);
                within_bounds(device, |case| !is_product(case) && !case.large && suits(case))
            }));
        }
        // Windows of few rows, some of which start where no vector may.
        for lanes in [1, 16, 128, 256] {
            let options = GpuOptions {
                row_lanes: Some(lanes),
                max_binding_bytes: Some(4096),
                runtime_checks,
                guarded_buffers: true,
                ..Default::default()
            };
            trials.push(common::trial(format!("rows by {lanes} lanes in windows{checked}"), options, move |device| {
                within_bounds(device, |case| is_by_row(case) && case.dims[1] <= 1000 && !case.large)
            }));
        }
        // What differs without subgroups.
        let alone = GpuOptions { without_subgroups: true, runtime_checks, guarded_buffers: true, ..Default::default() };
        let options = GpuOptions { row_lanes: Some(128), ..alone.clone() };
        trials.push(common::trial(format!("rows by 128 lanes through memory{checked}"), options, move |device| {
            within_bounds(device, |case| reads_rows_again(case) && !case.large)
        }));
        let options = GpuOptions { matmul_kernel: Some(MatmulKernel::Plain), ..alone };
        trials.push(common::trial(format!("products by lanes alone{checked}"), options, move |device| {
            within_bounds(device, |case| is_product(case) && !case.large)
        }));
    }
    let elsewhere = !common::full() && !common::full_cases() && !common::skipping();
    if elsewhere {
        common::say("skipped: forced kernels, which take --full where cases are reduced");
    }
    common::run(trials.into_iter().map(|trial| trial.with_ignored_flag(elsewhere || common::skipping())).collect())
}

fn is_product(case: &Case) -> bool {
    case.op.starts_with("matmul") || case.op.starts_with("linear")
}

/// Ops that have forms for hardware of their own.
fn is_by_row(case: &Case) -> bool {
    reads_rows_again(case) || case.op == "nll_backward"
}

/// Ops that reduce along a row and go back to it.
fn reads_rows_again(case: &Case) -> bool {
    (case.op.contains("softmax") && !case.op.starts_with("gradient")) || matches!(case.op, "argmax" | "accuracy")
}

fn within_bounds(device: &Device, which: impl Fn(&Case) -> bool) -> Result<(), Failed> {
    for case in verify::cases().iter().filter(|case| which(case)) {
        let worst = case.verify(device, 2).map_err(|error| format!("{case}: {error}"))?;
        if !worst.passed() {
            return Err(format!("{case}: {worst}").into());
        }
    }
    Ok(())
}
