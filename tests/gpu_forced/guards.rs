//! Kernels write all of their output and nothing else, with the same bits whether run-time checks are on or off, on
//! grids folded to a handful of workgroups, and every time.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use wgpu_mlp::verify::Case;
use wgpu_mlp::{DebugOptions, Device, Error, GpuOptions, MatmulKernel};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    common::say_which_cases();
    vec![
        common::trial("guards stay intact and nothing stays unwritten", guarded(false), within_bounds),
        common::trial("checked and unchecked kernels give the same bits", guarded(false), |unchecked| {
            same_bits(unchecked, &common::device(&guarded(true))?)
        }),
        common::trial("folded grids give the same bits", GpuOptions::default(), |device| {
            let folded = GpuOptions {
                debug: DebugOptions { max_workgroups_per_dimension: Some(40), ..guarded(false).debug },
                ..guarded(false)
            };
            same_bits(device, &common::device(&folded)?)
        }),
        common::trial("products in several dispatches give the same bits", GpuOptions::default(), |_| cut_by_work()),
        common::trial("tiny bindings and grids", tiny(), in_windows),
        common::trial("a second run gives the same bits", GpuOptions::default(), |device| same_bits(device, device)),
    ]
}

/// All matrices except the smallest are split into windows, elementwise kernels split their rows into pieces, and every grid is
/// folded.
fn tiny() -> GpuOptions {
    GpuOptions {
        debug: DebugOptions {
            max_binding_bytes: Some(768),
            max_workgroups_per_dimension: Some(9),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// Buffers are filled with NaN at first and have a guard value after their end, which every read checks.
fn guarded(runtime_checks: bool) -> GpuOptions {
    GpuOptions {
        runtime_checks,
        debug: DebugOptions { guarded_buffers: true, ..Default::default() },
        ..Default::default()
    }
}

/// Ops that need whole rows, among the ops that have cases with such long rows.
const BY_ROWS: [&str; 8] = [
    "accuracy",
    "argmax",
    "log_softmax",
    "nll",
    "nll_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
];

/// All cases are within their bounds, except those whose rows are longer than a binding. Ops that need whole rows refuse these,
/// and no other op does.
fn in_windows(device: &Device) -> Result<(), Failed> {
    let mut refused = BTreeSet::new();
    for case in common::small_cases() {
        match case.verify(device, 2) {
            Ok(worst) if worst.passed() => {}
            Ok(worst) => return Err(format!("{case}: {worst}").into()),
            Err(Error::Limit { what: "bytes in one row", needed, allowed: 768, .. }) if needed > 768 => {
                refused.insert(case.op);
            }
            Err(error) => return Err(format!("{case}: {error}").into()),
        }
    }
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), BY_ROWS);
    Ok(())
}

fn within_bounds(device: &Device) -> Result<(), Failed> {
    for case in common::small_cases() {
        let worst = case.verify(device, 2).map_err(|error| format!("{case}: {error}"))?;
        if !worst.passed() {
            return Err(format!("{case}: {worst}").into());
        }
    }
    Ok(())
}

/// Each product as one dispatch, and as several: one workgroup in each if k is long, otherwise a few.
fn cut_by_work() -> Result<(), Failed> {
    use MatmulKernel::{LargeUnits, MediumUnits, Narrow, Small};
    let kernels: &[MatmulKernel] = match (common::by_matrix_units(), common::full()) {
        (true, _) => &[MediumUnits, LargeUnits],
        (false, true) => &[Small, Narrow],
        (false, false) => &[Small],
    };
    for kernel in kernels {
        let opened = |max_multiply_adds| {
            let options = GpuOptions {
                debug: DebugOptions { matmul_kernel: Some(*kernel), max_multiply_adds, ..guarded(false).debug },
                ..guarded(false)
            };
            common::device(&options)
        };
        let (whole, cut) = (opened(None)?, opened(Some(1 << 17))?);
        let is_product = |case: &Case| case.op.starts_with("matmul") || case.op.starts_with("linear");
        for case in common::small_cases().filter(is_product) {
            let inputs = case.inputs(3);
            let run = |device| case.run(device, &inputs).map_err(|error| format!("{case}: {error}"));
            if let Some(difference) = common::first_difference(&run(&whole)?, &run(&cut)?) {
                return Err(format!("{kernel:?}: {case}: the bits differ: {difference}").into());
            }
        }
        let (more, fewer) = (cut.counters().dispatches, whole.counters().dispatches);
        assert!(more > fewer, "{more} dispatches instead of {fewer}: nothing was cut");
    }
    Ok(())
}

fn same_bits(left: &Device, right: &Device) -> Result<(), Failed> {
    for case in common::small_cases() {
        let inputs = case.inputs(3);
        let run = |device| case.run(device, &inputs).map_err(|error| format!("{case}: {error}"));
        if let Some(difference) = common::first_difference(&run(left)?, &run(right)?) {
            return Err(format!("{case}: the bits differ: {difference}").into());
        }
    }
    Ok(())
}
