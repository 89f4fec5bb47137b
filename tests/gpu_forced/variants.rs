//! The cases with every kernel for products and every number of lanes a row, whatever the device would choose, with subgroup
//! operations and without; with --full also with run-time checks, and on stacks whose cases are reduced.

use libtest_mimic::Failed;
use wgpu_mlp::verify::{self, Case};
use wgpu_mlp::{Device, Error, GpuOptions, MatmulKernel};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    // There, Mesa's compiler takes ten times as long over loops that are written out.
    let on_gl = std::env::var("WGPU_MLP_STACK").as_deref() == Ok("gl");
    common::say_which_cases();
    let checked = common::full() && !common::is_slow();
    let checks: &[bool] = if checked { &[false, true] } else { &[false] };
    if !checked && !common::skipping() {
        common::say("skipped: all of it with run-time checks, which takes --full, and a stack that is not slow");
    }
    for &runtime_checks in checks {
        let checked = if runtime_checks { " [checked]" } else { "" };
        for kernel in MatmulKernel::ALL {
            // Where matrix units are not in use, others would take their place. Where they are, what is special is enough.
            let on_units = matches!(kernel, MatmulKernel::LargeUnits | MatmulKernel::MediumUnits);
            if on_units != common::by_matrix_units() {
                continue;
            }
            // Tiles are one text, so that checks in one are checks in all, and take long to compile.
            let is_tile = !matches!(kernel, MatmulKernel::Direct | MatmulKernel::Panel | MatmulKernel::Plain);
            if runtime_checks && is_tile && !matches!(kernel, MatmulKernel::Small | MatmulKernel::MediumUnits) {
                continue;
            }
            let options =
                GpuOptions { matmul_kernel: Some(kernel), runtime_checks, guarded_buffers: true, ..Default::default() };
            trials.push(common::trial(format!("products by {kernel:?}{checked}"), options, move |device| {
                within_bounds(device, |case| is_product(case) && (!case.large || (common::full() && !runtime_checks)))
            }));
        }
        // Windows, so that products go on with what earlier steps of k have left in c.
        let in_windows = match common::by_matrix_units() {
            true => [MatmulKernel::MediumUnits].as_slice(),
            false => &[MatmulKernel::Panel, MatmulKernel::Direct, MatmulKernel::Plain, MatmulKernel::Small],
        };
        for &kernel in in_windows {
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
        if common::by_matrix_units() {
            continue;
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
        for (lanes, cols) in [
            (1, 1..=64),
            (16, 3..=260),
            (128, 17..=4100),
            (256, 1000..=usize::MAX),
            (512, 4000..=usize::MAX),
            (1024, 8000..=usize::MAX),
        ] {
            if !offers_lanes(lanes) {
                continue;
            }
            let options =
                GpuOptions { row_lanes: Some(lanes), runtime_checks, guarded_buffers: true, ..Default::default() };
            trials.push(common::trial(format!("rows by {lanes} lanes{checked}"), options, move |device| {
                let suits = |case: &Case| !is_by_row(case) || cols.contains(&case.dims[1]);
                within_bounds(device, |case| has_rows(case) && !case.large && suits(case))
            }));
        }
        // Windows of few rows, some of which start where no vector may.
        for lanes in [1, 16, 128, 256, 512, 1024].into_iter().filter(|lanes| offers_lanes(*lanes)) {
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
    let elsewhere = !common::full() && !common::full_cases() && !common::by_matrix_units() && !common::skipping();
    if elsewhere {
        common::say("skipped: forced kernels, which take --full where cases are reduced");
    }
    trials.into_iter().map(|trial| trial.with_ignored_flag(elsewhere || common::skipping())).collect()
}

/// Whether the device has so many threads a workgroup; where there is no device, the trials tell.
fn offers_lanes(lanes: u32) -> bool {
    let options = GpuOptions { row_lanes: Some(lanes), ..Default::default() };
    let offered =
        lanes <= 256 || common::skipping() || !matches!(Device::gpu_with(&options), Err(Error::Option { .. }));
    if !offered {
        common::say(&format!("skipped: rows by {lanes} lanes, of which the device has fewer"));
    }
    offered
}

fn is_product(case: &Case) -> bool {
    case.op.starts_with("matmul") || case.op.starts_with("linear")
}

/// Ops whose kernels share rows out among lanes.
fn has_rows(case: &Case) -> bool {
    const ELSE: [&str; 12] = [
        "adagrad",
        "adam",
        "bias_add",
        "clip_scale",
        "column_sum",
        "dropout",
        "momentum",
        "relu",
        "relu_backward",
        "relu_mask",
        "rmsprop",
        "sgd",
    ];
    !is_product(case) && !ELSE.contains(&case.op)
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
    let step = if common::is_slow() { 3 } else { 1 };
    for case in verify::cases().iter().filter(|case| which(case)).step_by(step) {
        let worst = case.verify(device, 2).map_err(|error| format!("{case}: {error}"))?;
        if !worst.passed() {
            return Err(format!("{case}: {worst}").into());
        }
    }
    Ok(())
}
