//! Kernels write all of their output and nothing else, with the same bits whether run-time checks are on or off, on
//! grids folded to a handful of workgroups, and every time.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use wgpu_mlp::verify::{self, Case};
use wgpu_mlp::{DebugOptions, Device, Error, GpuOptions, MatmulKernel, Matrix, ReadError, Targets, ops, wgpu};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    common::say_which_cases();
    vec![
        common::trial("guards stay intact and nothing stays unwritten", guarded(false), within_bounds),
        common::trial("a write behind any buffer is an error", GpuOptions::default(), stray_writes),
        common::trial("intermediate buffers keep their guards in folded grids", spare_workgroups(), intermediates),
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
        common::trial("products by forced kernels give the same bits in folded grids", GpuOptions::default(), |_| {
            folded_products()
        }),
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

/// Buffers are filled with NaN at first and have a guard value after their end. A read checks that of the buffer that it reads,
/// and those of all buffers that were dropped since the last read.
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

/// A write behind a matrix, as a wrong kernel would make it. It is reported by a read of this matrix, and also by the next read
/// of another one after the matrix was dropped.
fn stray_writes(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let (adapter, queue) = (&yours.adapter, &yours.queue);
    let device = Device::from_wgpu_with(adapter, yours.device.clone(), queue.clone(), &guarded(false))?;
    let x = Matrix::from_slice(&device, 1, 3, &[1.0, -2.0, 3.0])?;
    let y = ops::relu(&x)?;
    let (buffer, _) = y.wgpu_buffer().ok_or("the matrix has no buffer")?;
    // The guard must be filled before it is overwritten.
    device.flush()?;
    queue.write_buffer(&buffer, 3 * 4, &[0; 4]);
    let of_itself = y.to_array();
    drop(y);
    let of_another = x.to_array();
    for read in [of_itself, of_another] {
        assert!(matches!(read, Err(Error::Read { source: ReadError::Guard { op: "relu" } })), "{read:?}");
    }
    // The buffer is filled anew when it is reused.
    assert_eq!(x.to_array()?.row(0).to_vec(), [1.0, -2.0, 3.0]);
    assert_eq!(ops::relu(&x)?.to_array()?.row(0).to_vec(), [1.0, 0.0, 3.0]);
    Ok(())
}

/// Grids that are folded at 40 workgroups, with a workgroup for each row, and small tiles.
fn spare_workgroups() -> GpuOptions {
    let debug = DebugOptions {
        max_workgroups_per_dimension: Some(40),
        matmul_kernel: Some(MatmulKernel::Small),
        row_lanes: Some(128),
        ..guarded(false).debug
    };
    GpuOptions { debug, ..guarded(false) }
}

/// Ops whose first kernel leaves its results in a buffer for the second, in grids with spare workgroups. If these write behind
/// that buffer, no result is wrong.
fn intermediates(device: &Device) -> Result<(), Failed> {
    let normal = |rows, cols, seed| Matrix::from_array(device, common::normal(rows, cols, seed).view());
    // 43 sums of squares, one a workgroup, in a grid of 48.
    ops::clip_scale(&[&normal(43, 1001, 1)?], 1.0)?.to_array()?;
    // 1,031 records of statistics in a grid of 1,056. They are more than the host joins.
    let targets = Targets::classes(device, &[0u8; 1031], 3)?;
    ops::softmax_cross_entropy(&normal(1031, 3, 2)?, &targets, &Default::default())?.stats()?;
    // Partial products of four slices, each of 15 tiles, in a grid of 63.
    ops::matmul(&normal(65, 512, 3)?, &normal(512, 257, 4)?)?.to_array()?;
    Ok(())
}

/// Products in a line of workgroups, and in a folded grid that has spare workgroups. These must not write behind the result.
fn folded_products() -> Result<(), Failed> {
    use MatmulKernel::{Direct, MediumUnits, Small};
    // These have 45 workgroups by the small tile and 51 by `Direct`, and 128 on a software driver's matrix units.
    let on_units = common::by_matrix_units();
    let kernels: &[MatmulKernel] = if on_units { &[MediumUnits] } else { &[Small, Direct] };
    let dims = if on_units { [512, 256, 128] } else { [257, 47, 259] };
    for kernel in kernels {
        let opened = |max_workgroups_per_dimension| {
            let debug =
                DebugOptions { matmul_kernel: Some(*kernel), max_workgroups_per_dimension, ..guarded(false).debug };
            common::device(&GpuOptions { debug, ..guarded(false) })
        };
        let (line, folded) = (opened(None)?, opened(Some(40))?);
        let cases = verify::cases().into_iter().filter(|case| is_product(case) && case.dims == dims);
        same_bits_of(cases, &line, &folded).map_err(|failed| named(*kernel, &failed))?;
    }
    Ok(())
}

fn is_product(case: &Case) -> bool {
    case.op.starts_with("matmul") || case.op.starts_with("linear")
}

fn named(kernel: MatmulKernel, failed: &Failed) -> Failed {
    format!("{kernel:?}: {}", failed.message().unwrap_or_default()).into()
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
        same_bits_of(common::small_cases().filter(is_product), &whole, &cut)
            .map_err(|failed| named(*kernel, &failed))?;
        let (more, fewer) = (cut.counters().dispatches, whole.counters().dispatches);
        assert!(more > fewer, "{more} dispatches instead of {fewer}: nothing was cut");
    }
    Ok(())
}

fn same_bits(left: &Device, right: &Device) -> Result<(), Failed> {
    same_bits_of(common::small_cases(), left, right)
}

fn same_bits_of(cases: impl Iterator<Item = Case>, left: &Device, right: &Device) -> Result<(), Failed> {
    let mut ran = 0;
    for case in cases {
        let inputs = case.inputs(3);
        let run = |device| case.run(device, &inputs).map_err(|error| format!("{case}: {error}"));
        if let Some(difference) = common::first_difference(&run(left)?, &run(right)?) {
            return Err(format!("{case}: the bits differ: {difference}").into());
        }
        ran += 1;
    }
    if ran == 0 { Err("no case is of this kind".into()) } else { Ok(()) }
}
