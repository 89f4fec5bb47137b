//! Matrix units: off by default, an error if the device has none, and as exact as other kernels if it has them.

use libtest_mimic::Failed;
use ndarray::{Array2, Axis};
use wgpu_mlp::ops::{Activation, linear, linear_gradients, matmul, matmul_nt, matmul_tn};
use wgpu_mlp::{DebugOptions, Device, DeviceKind, Error, GpuOptions, MatmulKernel, Matrix, MatrixUnits};

use crate::common::{self, Trial};

/// u = 2⁻²³, as in the guide's page on numerics.
const U: f64 = f32::EPSILON as f64;

pub fn trials() -> Vec<Trial> {
    if common::skipping() {
        return vec![common::trial("matrix units", GpuOptions::default(), |_| Ok(()))];
    }
    let has = common::device(&GpuOptions::default()).map(|device| device.info().has_matrix_units).unwrap_or_default();
    if !has {
        common::say("skipped: products on matrix units, since this adapter has none");
        return vec![Trial::test("without matrix units, nobody gets any", refused)];
    }
    let on = |kernel| GpuOptions {
        matrix_units: MatrixUnits::On,
        debug: DebugOptions { matmul_kernel: kernel, ..Default::default() },
        ..Default::default()
    };
    let mut trials = vec![Trial::test("they are off unless asked for", off_by_default)];
    for kernel in [MatmulKernel::LargeUnits, MatmulKernel::MediumUnits] {
        let options = || GpuOptions {
            debug: DebugOptions { guarded_buffers: true, ..on(Some(kernel)).debug },
            ..on(Some(kernel))
        };
        trials.extend([
            common::trial(format!("numbers of every size, {kernel:?}"), options(), every_size),
            common::trial(format!("what f16 cannot hold, {kernel:?}"), options(), beyond_halves),
            common::trial(format!("small beside the largest, {kernel:?}"), options(), small_beside_the_largest),
            common::trial(format!("the largest comes last, {kernel:?}"), options(), largest_comes_last),
            common::trial(format!("NaN and infinity, {kernel:?}"), options(), not_finite),
            common::trial(format!("errors of random products, {kernel:?}"), options(), nearly_as_exact),
            common::trial(format!("the same bits on every run, {kernel:?}"), on(Some(kernel)), repeats),
            common::trial(
                format!("windows and slices, {kernel:?}"),
                GpuOptions {
                    debug: DebugOptions { max_binding_bytes: Some(80 << 10), ..on(Some(kernel)).debug },
                    ..on(Some(kernel))
                },
                cut_up,
            ),
        ]);
    }
    trials.push(common::trial("long products take them, short ones do not", on(None), chosen_by_shape));
    trials
}

fn refused() -> Result<(), Failed> {
    let options = GpuOptions { matrix_units: MatrixUnits::On, ..Default::default() };
    match Device::gpu_with(&options) {
        Err(Error::NoMatrixUnits { adapter, why }) if !adapter.is_empty() && !why.is_empty() => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn off_by_default() -> Result<(), Failed> {
    let device = Device::gpu()?;
    assert!(device.info().has_matrix_units && !device.info().matrix_units);
    assert!(!matmul_takes_units(&device, [1024, 2048, 1024])?);
    Ok(())
}

fn matmul_takes_units(device: &Device, [m, k, n]: [usize; 3]) -> Result<bool, Failed> {
    let (a, b) = (common::normal(m, k, 1), common::normal(k, n, 2));
    matmul(&Matrix::from_array(device, a.view())?, &Matrix::from_array(device, b.view())?)?.to_array()?;
    Ok(takes_units(device))
}

/// Whether any product has used matrix units so far.
fn takes_units(device: &Device) -> bool {
    device.kernels().iter().any(|kernel| kernel.wgsl.contains("enable wgpu_cooperative_matrix"))
}

fn chosen_by_shape(device: &Device) -> Result<(), Failed> {
    // On hardware only products with two billion multiply-adds use them.
    let (long, short) = match device.info().kind {
        DeviceKind::Gpu => ([1024, 2048, 1024], [[8192, 127, 2100], [31, 8192, 8500], [8500, 8192, 31]]),
        _ => ([64, 128, 64], [[64, 127, 64], [31, 256, 64], [64, 256, 31]]),
    };
    for dims in short {
        assert!(!matmul_takes_units(device, dims)?, "{dims:?}");
    }
    assert!(matmul_takes_units(device, long)?, "{long:?}");
    Ok(())
}

/// The product in f64, and Σ |a| |b|.
fn product(a: &Array2<f32>, b: &Array2<f32>) -> (Array2<f64>, Array2<f64>) {
    let (a, b) = (a.mapv(f64::from), b.mapv(f64::from));
    (a.dot(&b), a.mapv(f64::abs).dot(&b.mapv(f64::abs)))
}

/// The largest magnitude of each row.
fn largest(x: &Array2<f32>) -> Vec<f64> {
    x.rows().into_iter().map(|row| row.iter().fold(0.0, |top, x| f64::max(top, f64::from(x.abs())))).collect()
}

/// Holds `a b` in all three layouts to the bound of the guide's page on matrix units: that of every kernel, plus the error of
/// numbers that are small compared with the largest of their row or column.
fn holds(device: &Device, a: &Array2<f32>, b: &Array2<f32>) -> Result<(), Failed> {
    let (want, magnitude) = product(a, b);
    // Each slice of k may be flushed to zero; none is shorter than 128 steps.
    let (k, tiny) = (a.ncols() as f64, a.ncols().div_ceil(128) as f64 * f64::from(f32::MIN_POSITIVE));
    let bt = b.t().as_standard_layout().into_owned();
    let at = a.t().as_standard_layout().into_owned();
    let (rows, cols) = (largest(a), largest(&bt));
    let sum = |x: &Array2<f32>| x.mapv(|x| f64::from(x.abs())).sum_axis(Axis(1));
    let (row_sums, col_sums) = (sum(a), sum(&bt));
    let up = |x: &Array2<f32>| Matrix::from_array(device, x.view());
    let results = [matmul(&up(a)?, &up(b)?)?, matmul_tn(&up(&at)?, &up(b)?)?, matmul_nt(&up(a)?, &up(&bt)?)?];
    for (layout, got) in ["nn", "tn", "nt"].into_iter().zip(results) {
        let got = got.to_array()?;
        for ((i, j), got) in got.indexed_iter() {
            let lost = 2f64.powi(-38) * (rows[i] * col_sums[j] + cols[j] * row_sums[i]);
            let lost = lost + 2f64.powi(-56) * k * rows[i] * cols[j];
            let bound = (k / 2.0 + 2.0) * U * magnitude[[i, j]] + lost + tiny;
            let error = (f64::from(*got) - want[[i, j]]).abs();
            if magnitude[[i, j]] > f64::from(f32::MAX) {
                continue; // a part of the sum may overflow, in any kernel
            }
            if error > bound || error.is_nan() {
                let want = want[[i, j]];
                return Err(format!("{layout} [{i}, {j}]: got {got:e}, want {want:e}, bound {bound:e}").into());
            }
        }
    }
    Ok(())
}

/// Entries from 1e-30 to 1e30 in one row, and rows from 1e-30 to 1e30.
fn every_size(device: &Device) -> Result<(), Failed> {
    let spread = |rows: usize, cols: usize, seed| {
        let exponents = common::normal(rows, cols, seed);
        let mut x = common::normal(rows, cols, seed + 100);
        x.zip_mut_with(&exponents, |x, e| *x *= 10f32.powf((15.0 * e).clamp(-30.0, 30.0)));
        x
    };
    // Some large numbers are multiplied by large ones, and these sums overflow; the others stay within range.
    holds(device, &spread(70, 260, 1), &common::normal(260, 68, 2))?;
    holds(device, &common::normal(68, 260, 2), &spread(70, 260, 1).t().as_standard_layout().into_owned())?;
    holds(device, &spread(70, 260, 1), &spread(260, 68, 3).mapv(|x| x * 1e-8))?;
    let by_row = |x: Array2<f32>| {
        let rows = x.nrows() as f32;
        let mut x = x;
        for (i, mut row) in x.rows_mut().into_iter().enumerate() {
            row *= 10f32.powf(30.0 * (2.0 * i as f32 / rows - 1.0));
        }
        x
    };
    let (a, b) = (by_row(common::normal(67, 131, 3)), by_row(common::normal(66, 131, 4)));
    holds(device, &a, &b.t().as_standard_layout().into_owned())
}

/// Numbers so small compared with the largest of their row that their first half in f16 is 0. Multiplied by a number whose
/// remainder is as large as possible, they lose the most; multiplied by an equally small number, the whole product is lost.
fn small_beside_the_largest(device: &Device) -> Result<(), Failed> {
    let fill = |rows: usize, first: [f32; 2], others: f32| {
        Array2::from_shape_fn((rows, 128), |(row, k)| match k {
            0 | 1 => first[(k + row) % 2],
            _ => others,
        })
    };
    let small = 2f32.powi(-28) * (1.0 - 3.0 * 2f32.powi(-12));
    let uneven = 1.0 + 2f32.powi(-11) - 3.0 * 2f32.powi(-23);
    let columns = |x: Array2<f32>| x.t().as_standard_layout().into_owned();
    holds(device, &fill(33, [1.0, 0.0], small), &columns(fill(32, [1.0, 0.0], uneven)))?;
    holds(device, &fill(33, [1.0, 0.0], uneven), &columns(fill(32, [1.0, 0.0], small)))?;
    holds(device, &fill(33, [1.0, 0.0], small), &columns(fill(32, [0.0, 1.0], small)))
}

/// Rows and columns whose last number is by far the largest: a scale that does not take it into account would make it too large
/// for f16.
fn largest_comes_last(device: &Device) -> Result<(), Failed> {
    for k in [128, 131, 200] {
        let last_large = |rows: usize, seed| {
            let mut x = common::normal(rows, k, seed);
            x.column_mut(k - 1).mapv_inplace(|x| (1.0 + x.abs()) * 2f32.powi(20));
            x
        };
        holds(device, &last_large(70, 22), &last_large(65, 23).t().as_standard_layout().into_owned())?;
    }
    Ok(())
}

/// Subnormals, the largest and the smallest numbers, zeros.
fn beyond_halves(device: &Device) -> Result<(), Failed> {
    for (large, small) in
        [(f32::MAX / 8.0, f32::MIN_POSITIVE), (1.0, 1e-40), (70_000.0, 1e-7), (1e-20, 1e-38), (0.0, 0.0)]
    {
        let mut a = common::normal(33, 140, 5);
        a.indexed_iter_mut()
            .for_each(|((i, _), x)| *x = x.clamp(-2.0, 2.0) / 8.0 * if i % 2 == 0 { large } else { small });
        let b = common::normal(140, 34, 6).mapv(|x| x.clamp(-2.0, 2.0) / 140.0);
        holds(device, &a, &b)?;
        holds(device, &b.t().as_standard_layout().into_owned(), &a.t().as_standard_layout().into_owned())?;
    }
    // The largest exponent there is, and subnormals times large numbers.
    let unit = |seed| common::normal(34, 140, seed).mapv(|x| x.clamp(-1.0, 1.0));
    let (largest, small) = (unit(17).mapv(|x| x.signum() * f32::MAX), unit(18).mapv(|x| x * 1e-10));
    let tiny = Array2::from_elem((34, 140), f32::from_bits(0x0080_0000)) * &unit(19).mapv(|x| 2.0 + x);
    let columns = |x: &Array2<f32>| x.t().as_standard_layout().into_owned();
    holds(device, &largest, &columns(&small))?;
    holds(device, &largest, &columns(&tiny))?;
    holds(device, &tiny, &columns(&unit(20).mapv(|x| x * 1e30)))
}

/// NaN in all of a row of a, and of a column of b, that has NaN or infinity: these sums are never a number, and all others are.
/// ReLU lets NaN through.
fn not_finite(device: &Device) -> Result<(), Failed> {
    for special in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0x7f80_0001)] {
        let (mut a, mut b) = (common::normal(40, 150, 7), common::normal(150, 36, 8));
        a[[3, 149]] = special;
        b[[0, 35]] = special;
        let up = |x: &Array2<f32>| Matrix::from_array(device, x.view());
        let (at, bt) = (a.t().as_standard_layout().into_owned(), b.t().as_standard_layout().into_owned());
        let bias = common::normal(1, 36, 21);
        let results = [
            matmul(&up(&a)?, &up(&b)?)?,
            matmul_tn(&up(&at)?, &up(&b)?)?,
            matmul_nt(&up(&a)?, &up(&bt)?)?,
            linear(&up(&a)?, &up(&b)?, &up(&bias)?, Activation::Relu)?,
        ];
        for got in results {
            for ((i, j), x) in got.to_array()?.indexed_iter() {
                assert_eq!(x.is_nan(), i == 3 || j == 35, "[{i}, {j}] is {x} with {special}");
            }
        }
    }
    Ok(())
}

/// On random numbers the largest error is no more than twice that of the kernels without matrix units.
fn nearly_as_exact(device: &Device) -> Result<(), Failed> {
    let plain = Device::gpu()?;
    for [m, k, n] in [[64, 512, 64], [65, 129, 70], [64, 2048, 64]] {
        let (a, b) = (common::normal(m, k, 9), common::normal(k, n, 10));
        let (want, magnitude) = product(&a, &b);
        let worst = |device: &Device| -> Result<f64, Failed> {
            let up = |x: &Array2<f32>| Matrix::from_array(device, x.view());
            let got = matmul(&up(&a)?, &up(&b)?)?.to_array()?;
            let errors =
                got.iter().zip(&want).zip(&magnitude).map(|((got, want), size)| (f64::from(*got) - want).abs() / size);
            // A maximum over all elements would ignore a NaN.
            Ok(errors.fold(0.0, |most, error| if most.is_nan() || error.is_nan() { f64::NAN } else { most.max(error) }))
        };
        let (units, others) = (worst(device)?, worst(&plain)?);
        common::say(&format!(
            "{m} x {k} x {n}: {units:.2e} of the terms' magnitudes, without matrix units {others:.2e}"
        ));
        assert!(units <= 2.0 * others, "{m} x {k} x {n}: {units:e} against {others:e}");
    }
    Ok(())
}

fn repeats(device: &Device) -> Result<(), Failed> {
    let (x, dy) = (common::normal(1000, 130, 11), common::normal(1000, 66, 12));
    let run = || -> Result<Vec<Array2<f32>>, Failed> {
        let up = |x: &Array2<f32>| Matrix::from_array(device, x.view());
        let (dweights, dbiases) = linear_gradients(&up(&x)?, &up(&dy)?)?;
        Ok(vec![dweights.to_array()?, dbiases.to_array()?])
    };
    let first = run()?;
    assert!(takes_units(device), "other kernels");
    for _ in 0..5 {
        assert!(common::same_bits(&first, &run()?), "the bits differ");
    }
    Ok(())
}

fn cut_up(device: &Device) -> Result<(), Failed> {
    holds(device, &common::normal(130, 700, 13), &common::normal(700, 100, 14))?;
    assert!(takes_units(device), "other kernels");
    holds(device, &common::normal(64, 3000, 15), &common::normal(3000, 36, 16))?;
    // The last window would have more slices than the others, and so longer lines.
    holds(device, &common::normal(151, 153, 24), &common::normal(153, 106, 25))
}
