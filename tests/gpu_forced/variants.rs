//! The cases with every kernel for products and every number of lanes a row, regardless of the device's choice, with subgroup
//! operations and without; with --full also with run-time checks, and on stacks whose cases are reduced.

use std::ops::RangeInclusive;

use libtest_mimic::Failed;
use wgpu_mlp::verify::{self, Case};
use wgpu_mlp::{DebugOptions, Device, DeviceKind, Error, GpuOptions, MatmulKernel};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    common::say_which_cases();
    let checked = common::full() && !common::is_slow();
    let checks: &[bool] = if checked { &[false, true] } else { &[false] };
    if !checked && !common::skipping() {
        common::say("skipped: all of it with run-time checks, which takes --full, and a stack that is not slow");
    }
    if is_brief() && !common::skipping() {
        common::say(
            "skipped: products by tiles but the small one, products in windows but by that, and rows but by 16 and 128 lanes, \
             which take --full, and a stack that is not slow",
        );
    }
    let mut trials = Vec::new();
    for &runtime_checks in checks {
        let guarded = GpuOptions {
            runtime_checks,
            debug: DebugOptions { guarded_buffers: true, ..Default::default() },
            ..Default::default()
        };
        // The checks are part of a kernel's text for every launch, and software drivers take minutes to compile it.
        let few = runtime_checks && common::is_software();
        if few && !common::skipping() {
            common::say(
                "skipped: run-time checks in windows, without subgroups, and in rows by other lanes than 1, 16 and 256, since \
                 the stack is software",
            );
        }
        trials.extend(by_each_kernel(&guarded));
        if !few {
            trials.extend(products_in_windows(&guarded));
        }
        if common::by_matrix_units() {
            continue;
        }
        if !runtime_checks {
            trials.extend(as_for_gpus(&guarded));
        }
        trials.extend(by_lanes(&guarded, few));
        if !few {
            trials.extend(in_windows(&guarded));
            trials.extend(without_subgroups(&guarded));
        }
    }
    let elsewhere = !common::full() && !common::full_cases() && !common::by_matrix_units() && !common::skipping();
    if elsewhere {
        common::say("skipped: forced kernels, which take --full where cases are reduced");
    }
    trials.into_iter().map(|trial| trial.with_ignored_flag(elsewhere || common::skipping())).collect()
}

/// Whether only a part of the forced kernels runs. `tests/mutants` needs all of them, and names those that it runs.
fn is_brief() -> bool {
    common::is_brief() && !cfg!(wgpu_mlp_mutants)
}

/// The end of a trial's name.
fn mark(options: &GpuOptions) -> &'static str {
    if options.runtime_checks { " [checked]" } else { "" }
}

/// Whether the stack is OpenGL's software driver.
fn on_gl() -> bool {
    std::env::var("WGPU_MLP_STACK").as_deref() == Ok("gl")
}

fn by_each_kernel(guarded: &GpuOptions) -> Vec<Trial> {
    let runtime_checks = guarded.runtime_checks;
    let suits = |kernel: &MatmulKernel| {
        // If matrix units are not in use, other kernels would run instead of theirs. If they are in use, their own kernels are
        // enough.
        let on_units = matches!(kernel, MatmulKernel::LargeUnits | MatmulKernel::MediumUnits);
        // All tiles have one text, so it is enough to check one of them; they take long to compile.
        let is_checked = matches!(kernel, MatmulKernel::Small | MatmulKernel::MediumUnits);
        // Each would take minutes on a slow driver, and only repeats the text of the small tile with other sizes.
        let is_long = is_brief() && !on_units && is_tile(*kernel) && *kernel != MatmulKernel::Small;
        on_units == common::by_matrix_units() && !is_long && (!runtime_checks || !is_tile(*kernel) || is_checked)
    };
    let trial = |kernel: MatmulKernel| {
        let options =
            GpuOptions { debug: DebugOptions { matmul_kernel: Some(kernel), ..guarded.debug }, ..guarded.clone() };
        common::trial(format!("products by {kernel:?}{}", mark(guarded)), options, move |device| {
            // On software drivers the large cases take minutes with kernels that these drivers never choose; hardware runs them
            // in a second.
            let large =
                common::full() && !runtime_checks && (!is_tile(kernel) || device.info().kind == DeviceKind::Gpu);
            within_bounds(device, |case| is_product(case) && (!case.large || large))
        })
    };
    MatmulKernel::ALL.into_iter().filter(suits).map(trial).collect()
}

/// Whether a kernel is one of those that hardware runs.
fn is_tile(kernel: MatmulKernel) -> bool {
    !matches!(kernel, MatmulKernel::Direct | MatmulKernel::Panel | MatmulKernel::Plain)
}

/// Splits products into windows, so that later ones add to the sums that earlier steps of k stored in c.
fn products_in_windows(guarded: &GpuOptions) -> Vec<Trial> {
    let kernels = match (common::by_matrix_units(), is_brief()) {
        (true, _) => [MatmulKernel::MediumUnits].as_slice(),
        (_, true) => &[MatmulKernel::Small],
        (_, false) => &[MatmulKernel::Panel, MatmulKernel::Direct, MatmulKernel::Plain, MatmulKernel::Small],
    };
    let trial = |kernel: &MatmulKernel| {
        let options = GpuOptions {
            debug: DebugOptions { matmul_kernel: Some(*kernel), max_binding_bytes: Some(4096), ..guarded.debug },
            ..guarded.clone()
        };
        common::trial(format!("products by {kernel:?} in windows{}", mark(guarded)), options, |device| {
            within_bounds(device, |case| is_product(case) && !case.large)
        })
    };
    kernels.iter().map(trial).collect()
}

/// Kernels in the form for GPUs, with loops written out; software drivers take long to compile them.
fn as_for_gpus(guarded: &GpuOptions) -> Vec<Trial> {
    // On this driver Mesa's compiler takes ten times as long for loops that are written out.
    if on_gl() {
        common::say("skipped: kernels for GPUs, which OpenGL's software driver takes too long to compile");
    }
    if on_gl() || !common::full() || !common::full_cases() {
        return Vec::new();
    }
    let trial = |kernel: Option<MatmulKernel>| {
        let options = GpuOptions {
            debug: DebugOptions { matmul_kernel: kernel, kernels_for_gpus: true, ..guarded.debug },
            ..guarded.clone()
        };
        let name = kernel.map_or("as chosen for GPUs".into(), |kernel| format!("by {kernel:?} for GPUs"));
        // The driver's compiler takes minutes, so forced kernels run a third of their cases.
        let step = if kernel.is_none() { 1 } else { 3 };
        common::trial(format!("products {name}"), options, move |device| {
            every_within_bounds(device, step, |case| is_product(case) && (kernel.is_none() || case.dims[0] >= 256))
        })
    };
    [None, Some(MatmulKernel::Large), Some(MatmulKernel::Medium)].into_iter().map(trial).collect()
}

/// The approximate length of rows that get so many lanes. Each further length is one more variant to compile.
fn by_lanes(guarded: &GpuOptions, few: bool) -> Vec<Trial> {
    let lengths = [
        (1, 1..=64),
        (16, 3..=260),
        (128, 17..=4100),
        (256, 1000..=usize::MAX),
        (512, 4000..=usize::MAX),
        (1024, 8000..=usize::MAX),
    ];
    let trial = |(lanes, cols): (u32, RangeInclusive<usize>)| {
        let options = GpuOptions { debug: DebugOptions { row_lanes: Some(lanes), ..guarded.debug }, ..guarded.clone() };
        common::trial(format!("rows by {lanes} lanes{}", mark(guarded)), options, move |device| {
            let suits = |case: &Case| !is_by_row(case) || cols.contains(&case.dims[1]);
            within_bounds(device, |case| has_rows(case) && !case.large && suits(case))
        })
    };
    let is_run = |lanes: u32| match (is_brief(), few) {
        (true, _) => matches!(lanes, 16 | 128),
        (_, true) => matches!(lanes, 1 | 16 | 256),
        _ => true,
    };
    lengths.into_iter().filter(|(lanes, _)| is_run(*lanes) && offers_lanes(*lanes)).map(trial).collect()
}

/// Windows of few rows, some of which start at an address at which no vector may start.
fn in_windows(guarded: &GpuOptions) -> Vec<Trial> {
    let trial = |lanes: u32| {
        let options = GpuOptions {
            debug: DebugOptions { row_lanes: Some(lanes), max_binding_bytes: Some(4096), ..guarded.debug },
            ..guarded.clone()
        };
        common::trial(format!("rows by {lanes} lanes in windows{}", mark(guarded)), options, move |device| {
            within_bounds(device, |case| is_by_row(case) && case.dims[1] <= 1000 && !case.large)
        })
    };
    let all = if is_brief() { [16].as_slice() } else { &[1, 16, 128, 256, 512, 1024] };
    all.iter().copied().filter(|lanes| offers_lanes(*lanes)).map(trial).collect()
}

/// The trials that differ without subgroups.
fn without_subgroups(guarded: &GpuOptions) -> Vec<Trial> {
    let alone = GpuOptions { debug: DebugOptions { without_subgroups: true, ..guarded.debug }, ..guarded.clone() };
    // The least number of columns of rows that get so many lanes.
    let lengths = [(128, 0), (256, 1000), (512, 4000), (1024, 8000)];
    let rows = |(lanes, least): (u32, usize)| {
        let options = GpuOptions { debug: DebugOptions { row_lanes: Some(lanes), ..alone.debug }, ..alone.clone() };
        common::trial(format!("rows by {lanes} lanes through memory{}", mark(guarded)), options, move |device| {
            within_bounds(device, |case| reads_rows_again(case) && !case.large && case.dims[1] >= least)
        })
    };
    let is_run = |lanes: u32| lanes == 128 || (!is_brief() && offers_lanes(lanes));
    let mut trials: Vec<_> = lengths.into_iter().filter(|(lanes, _)| is_run(*lanes)).map(rows).collect();
    let options =
        GpuOptions { debug: DebugOptions { matmul_kernel: Some(MatmulKernel::Plain), ..alone.debug }, ..alone };
    let products = common::trial(format!("products by lanes alone{}", mark(guarded)), options, |device| {
        within_bounds(device, |case| is_product(case) && !case.large)
    });
    trials.push(products);
    trials
}

/// Whether the device has so many threads a workgroup. If there is no device, the trials report it.
fn offers_lanes(lanes: u32) -> bool {
    let options =
        GpuOptions { debug: DebugOptions { row_lanes: Some(lanes), ..Default::default() }, ..Default::default() };
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

/// Ops whose kernels divide rows among lanes.
fn has_rows(case: &Case) -> bool {
    const ELSE: [&str; 13] = [
        "adagrad",
        "adam",
        "bias_add",
        "clip_scale",
        "column_sum",
        "dropout",
        "dropout_rows",
        "momentum",
        "relu",
        "relu_backward",
        "relu_mask",
        "rmsprop",
        "sgd",
    ];
    !is_product(case) && !ELSE.contains(&case.op)
}

/// Ops that have special kernels for hardware.
fn is_by_row(case: &Case) -> bool {
    reads_rows_again(case) || case.op == "nll_backward"
}

/// Ops that reduce along a row and then read it again.
fn reads_rows_again(case: &Case) -> bool {
    (case.op.contains("softmax") && !case.op.starts_with("gradient")) || matches!(case.op, "argmax" | "accuracy")
}

fn within_bounds(device: &Device, which: impl Fn(&Case) -> bool) -> Result<(), Failed> {
    every_within_bounds(device, if common::is_slow() { 3 } else { 1 }, which)
}

/// Checks that each of these cases is within its bounds.
fn every_within_bounds(device: &Device, step: usize, which: impl Fn(&Case) -> bool) -> Result<(), Failed> {
    let mut ran = 0;
    for case in verify::cases().iter().filter(|case| which(case)).step_by(step) {
        let worst = case.verify(device, 2).map_err(|error| format!("{case}: {error}"))?;
        if !worst.passed() {
            return Err(format!("{case}: {worst}").into());
        }
        ran += 1;
    }
    if ran == 0 { Err("no case is of this kind".into()) } else { Ok(()) }
}
