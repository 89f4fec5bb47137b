//! Matrices larger than a binding, more workgroups than a dimension has, and ten thousand steps: with WGPU_MLP_FULL, on
//! stacks that are quick enough.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::ops::ControlFlow;
use std::process::ExitCode;

use libtest_mimic::Failed;
use ndarray::{Array2, Zip};
use wgpu_mlp::ops::{self, Activation};
use wgpu_mlp::{DebugOptions, Device, Epoch, FitOptions, GpuOptions, Matrix, Mlp, Optimizer, Targets, Trainer};

use common::Trial;

/// u of the documented bounds.
const U: f64 = 1.0 / (1 << 23) as f64;

fn main() -> ExitCode {
    if let Ok(mode) = std::env::var("WGPU_MLP_CHILD") {
        let done = if mode == "steps" {
            common::device(&options()).and_then(|device| steps(&device))
        } else {
            predict_in_child(&mode)
        };
        return done.map_or_else(
            |error| {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    common::run(&[("huge", trials)])
}

fn trials() -> Vec<Trial> {
    let full = std::env::var_os("WGPU_MLP_FULL").is_some() && common::full_cases();
    let trials = [
        ("softmax of 262 MB in windows", softmax as fn(&Device) -> Result<(), Failed>),
        ("softmax_cross_entropy of 262 MB in windows", head),
        ("linear on 5,000,000 rows", linear),
        ("matmul_tn with k = 5,000,000", matmul_tn),
        ("ten thousand steps hold their memory", |_| in_a_child("steps")),
        ("prediction over an array of 3 GB", |_| in_a_child("array")),
        ("prediction over a memory-mapped file of 3 GB", |_| in_a_child("mapped")),
    ];
    if !full {
        common::say(&format!("skipped: {} huge cases, which take --full and a quick stack", trials.len()));
    }
    let trial = |(name, test)| common::trial(name, options(), test).with_ignored_flag(!full || common::skipping());
    trials.into_iter().map(trial).collect()
}

fn options() -> GpuOptions {
    GpuOptions {
        debug: DebugOptions { max_binding_bytes: Some(128 << 20), ..Default::default() },
        ..Default::default()
    }
}

/// Fails if the device and the CPU path are further apart than twice the bound, which two results within it cannot be.
fn close(got: &Array2<f32>, want: &Array2<f32>, bound: impl Fn(f64, (usize, usize)) -> f64) -> Result<(), Failed> {
    assert_eq!(got.dim(), want.dim());
    for ((at, got), want) in got.indexed_iter().zip(want) {
        let (got, want) = (f64::from(*got), f64::from(*want));
        let allowed = 2.0 * bound(want, at) + f64::from(f32::MIN_POSITIVE);
        let near = (got - want).abs() <= allowed; // false for NaN
        if !near {
            return Err(format!("{at:?}: {got:e} on the device, {want:e} on the CPU path, {allowed:e} allowed").into());
        }
    }
    Ok(())
}

/// The distance of each element from the maximum of its row.
fn depths(x: &Array2<f32>) -> Vec<f32> {
    x.rows().into_iter().map(|row| row.fold(f32::MIN, |top, x| top.max(*x))).collect()
}

fn logits() -> Array2<f32> {
    common::normal(65_536, 1_000, 1)
}

fn on(device: &Device, x: &Array2<f32>) -> Matrix {
    Matrix::from_array(device, x.view()).unwrap()
}

fn softmax(device: &Device) -> Result<(), Failed> {
    let x = logits();
    let got = ops::softmax(&on(device, &x))?.to_array()?;
    let want = ops::softmax(&on(&Device::cpu(), &x))?.to_array()?;
    let tops = depths(&x);
    close(&got, &want, |p, (r, c)| {
        U * p * (30.0 + 3.0 * f64::from(tops[r] - x[[r, c]]) + 2.0 * 1000f64.log2() + 1000.0 / 64.0)
    })
}

fn head(device: &Device) -> Result<(), Failed> {
    let x = logits();
    let labels: Vec<u32> = (0..65_536).map(|row| row * 7919 % 1000).collect();
    let run = |device: &Device| -> Result<_, Failed> {
        let targets = Targets::classes(device, &labels, 1000)?;
        let head = ops::softmax_cross_entropy(&on(device, &x), &targets, &Default::default())?;
        Ok((head.losses().to_array()?, head.dlogits().to_array()?, head.stats()?))
    };
    let (got, want) = (run(device)?, run(&Device::cpu())?);
    let tops = depths(&x);
    let sum = (20.0 + 1000.0 / 64.0) * U;
    close(&got.0, &want.0, |loss, (r, _)| {
        let (top, target) = (f64::from(tops[r]).abs(), f64::from(x[[r, labels[r] as usize]]).abs());
        let below = top + target;
        2f64.powi(-21)
            + U * (23.0 + 2.0 * 1000f64.log2() + 1000.0 / 64.0)
            + 4.0 * U * (top + target + loss.abs())
            + sum * (below + 1.0)
    })?;
    close(&got.1, &want.1, |slope, (r, c)| {
        let hit = f64::from(u8::from(labels[r] as usize == c));
        let p = slope * 65_536.0 + hit;
        let softmax = U * p * (30.0 + 3.0 * f64::from(tops[r] - x[[r, c]]) + 2.0 * 1000f64.log2() + 1000.0 / 64.0);
        (softmax + 4.0 * U * (p + hit) + sum * p + 4.0 * U * (p - hit).abs()) / 65_536.0
    })?;
    assert_eq!((got.2.rows, got.2.correct, got.2.first_bad_row), (65_536, want.2.correct, None));
    assert!((got.2.mean_loss() - want.2.mean_loss()).abs() < 1e-4, "{} {}", got.2.mean_loss(), want.2.mean_loss());
    Ok(())
}

fn linear(device: &Device) -> Result<(), Failed> {
    let (x, w, b) = (common::normal(5_000_000, 3, 1), common::normal(3, 2, 2), common::normal(1, 2, 3));
    let run =
        |device: &Device| ops::linear(&on(device, &x), &on(device, &w), &on(device, &b), Activation::Relu)?.to_array();
    let (got, want) = (run(device)?, run(&Device::cpu())?);
    let size = x.mapv(f32::abs).dot(&w.mapv(f32::abs));
    close(&got, &want, |y, at| 5.0 * U * f64::from(size[at]) + U * y.abs() + U * f64::from(b[[0, at.1]].abs()))
}

fn matmul_tn(device: &Device) -> Result<(), Failed> {
    let (a, b) = (common::normal(5_000_000, 3, 1), common::normal(5_000_000, 2, 2));
    let got = ops::matmul_tn(&on(device, &a), &on(device, &b))?.to_array()?;
    let mut want = Array2::<f64>::zeros((3, 2));
    let mut size = want.clone();
    for (a, b) in a.rows().into_iter().zip(b.rows()) {
        for ((i, j), want) in want.indexed_iter_mut() {
            let product = f64::from(a[i]) * f64::from(b[j]);
            *want += product;
            size[[i, j]] += product.abs();
        }
    }
    let allowed = size.mapv(|size| 6.0 * 5_000_000f64.sqrt() * U * size);
    Zip::from(&got).and(&want).and(&allowed).for_each(|got, want, allowed| {
        assert!((f64::from(*got) - want).abs() <= *allowed, "{got} {want} {allowed}");
    });
    Ok(())
}

/// Private memory of the process in bytes, if the system tells it.
fn anonymous_memory() -> Option<u64> {
    status("RssAnon:")
}

fn status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    Some(1024 * line.split_whitespace().nth(1)?.parse::<u64>().ok()?)
}

const ROWS: usize = 1_000_000;
const INPUTS: usize = 784;

/// A row whose class is marked by one of its features, and that class.
fn planted(row: usize, features: &mut [f32]) -> u32 {
    let mut state = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    for feature in features.iter_mut() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *feature = (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
    }
    let class = row * 7919 % 10;
    features[class * 71] += 20.0;
    class as u32
}

/// Runs this part in a process of its own, so that no other part uses its memory.
fn in_a_child(mode: &str) -> Result<(), Failed> {
    let child = std::process::Command::new(std::env::current_exe()?).env("WGPU_MLP_CHILD", mode).output()?;
    common::say(String::from_utf8_lossy(&child.stdout).trim());
    if child.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&child.stderr).into_owned().into()) }
}

fn predict_in_child(mode: &str) -> Result<(), Failed> {
    let device = common::device(&GpuOptions::default())?;
    let mut sample = Array2::zeros((2_000, INPUTS));
    let labels: Vec<u32> =
        sample.rows_mut().into_iter().enumerate().map(|(r, mut row)| planted(r, row.as_slice_mut().unwrap())).collect();
    let mut model = Mlp::new(&device, &[INPUTS, 10], 1)?;
    let options = FitOptions { epochs: 5, optimizer: Optimizer::sgd(0.01), ..Default::default() };
    model.fit(sample.view(), &labels, &options)?;
    let classes = match mode {
        "array" => {
            let mut x = Array2::zeros((ROWS, INPUTS));
            x.rows_mut().into_iter().enumerate().for_each(|(r, mut row)| {
                planted(r, row.as_slice_mut().unwrap());
            });
            let classes = model.predict(x.view())?;
            let (peak, array) = (status("VmHWM:").unwrap_or_default(), 4 * (ROWS * INPUTS) as u64);
            println!("peak {peak} bytes, {} beyond the array", peak.saturating_sub(array));
            assert!(peak < array + (1 << 30));
            classes
        }
        _ => predict_mapped(&model)?,
    };
    let mut row = [0.0; INPUTS];
    let wrong = classes.iter().enumerate().filter(|(r, class)| planted(*r, &mut row) != **class).count();
    assert_eq!((classes.len(), wrong), (ROWS, 0));
    Ok(())
}

#[allow(unsafe_code, reason = "a memory map is the caller's business, and unsafe")]
fn predict_mapped(model: &Mlp) -> Result<Vec<u32>, Failed> {
    use std::io::Write;
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ROWS}, {INPUTS}), }}");
    let mut file = std::io::BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
    file.write_all(b"\x93NUMPY\x01\x00\x76\x00")?;
    writeln!(file, "{header:<117}")?;
    let mut row = [0.0f32; INPUTS];
    for r in 0..ROWS {
        planted(r, &mut row);
        file.write_all(bytemuck::cast_slice(&row))?;
    }
    let file = file.into_inner()?;
    // SAFETY: the file has no name, so nobody else can change it.
    let map = unsafe { memmap2::Mmap::map(&file)? };
    let x = ndarray::ArrayView2::from_shape((ROWS, INPUTS), bytemuck::cast_slice(&map[128..]))?;
    let done = std::sync::atomic::AtomicBool::new(false);
    let (classes, peak) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                peak = peak.max(anonymous_memory().unwrap_or_default());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            peak
        });
        let classes = model.predict(x);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        (classes, watch.join().unwrap_or(u64::MAX))
    });
    println!("at most {peak} bytes of anonymous memory");
    assert!(peak < 1 << 30);
    Ok(classes?)
}

fn steps(device: &Device) -> Result<(), Failed> {
    let x = common::normal(30_000, 2, 1);
    let labels: Vec<u32> =
        x.rows().into_iter().map(|row| u32::from(row[0] > row[1]) + u32::from(row[0] > 1.0)).collect();
    let options = FitOptions { epochs: 100, batch: 300, optimizer: Optimizer::sgd(0.1), ..Default::default() };
    let mut after_hundred = None;
    let mut model = Mlp::new(device, &[2, 64, 3], 1)?;
    let mut watch = |_: &Mlp, epoch: &Epoch| {
        let counters = device.counters();
        let now = (counters.allocations, counters.memory_bytes, anonymous_memory());
        match (epoch.index, after_hundred) {
            // The first copy of the weights to the host may come after the first epoch.
            (0..=2, _) => after_hundred = Some(now),
            (_, Some((allocations, bytes, memory))) => {
                assert_eq!((now.0, now.1), (allocations, bytes), "after {} steps", 100 * (epoch.index + 1));
                if let (Some(before), Some(now)) = (memory, now.2) {
                    assert!(now < before + (8 << 20), "{before} bytes became {now}, {} steps", 100 * (epoch.index + 1));
                }
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    };
    Trainer::new(&options).callback(&mut watch).fit(&mut model, x.view(), &labels)?;
    println!("10,000 steps: {after_hundred:?} then, {:?} now", anonymous_memory());
    Ok(())
}
