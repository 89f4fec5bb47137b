//! Code that the GPU tests share: the device under test, skipping, and the choice of cases.

#![allow(dead_code, unused_imports, reason = "each test program uses its own part of this")]

mod trials;

use std::env;
use std::io::Write;

use libtest_mimic::Failed;
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::verify::{self, Case};
use wgpu_mlp::{Device, GpuOptions, MatrixUnits, Parameters, wgpu};

pub use trials::*;

/// Whether the user asked for a run without a GPU.
pub fn skipping() -> bool {
    env::var_os("WGPU_MLP_SKIP_GPU").is_some()
}

/// Whether the long cases run too.
pub fn full_cases() -> bool {
    env::var("WGPU_MLP_CASES").as_deref() != Ok("reduced")
}

/// Whether the user asked for all tests, also those that take long.
pub fn full() -> bool {
    env::var_os("WGPU_MLP_FULL").is_some()
}

/// Whether every device should compute products on matrix units.
pub fn by_matrix_units() -> bool {
    env::var_os("WGPU_MLP_MATRIX_UNITS").is_some()
}

/// Whether the stack takes many times as long as others to compile or to compute.
pub fn is_slow() -> bool {
    matches!(env::var("WGPU_MLP_STACK").as_deref(), Ok("gl" | "swiftshader"))
}

/// Whether only a part of the forced kernels runs: on a slow stack, and on any software driver without --full.
pub fn is_brief() -> bool {
    is_slow() || (is_software() && !full())
}

/// Whether the stack computes on the CPU.
pub fn is_software() -> bool {
    matches!(env::var("WGPU_MLP_STACK").as_deref(), Ok("lavapipe" | "gl" | "swiftshader"))
}

/// The small cases, or every third of them if the stack is slow.
pub fn small_cases() -> impl Iterator<Item = Case> {
    let step = if is_slow() { 3 } else { 1 };
    verify::cases().into_iter().filter(|case| !case.large).step_by(step)
}

/// Prints a note if these are not all cases.
pub fn say_which_cases() {
    if is_slow() && !skipping() {
        say("skipped: two of three cases, since this stack is slow");
    }
}

/// Prints past the test runner's capture.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The GPU device under test. Checks that it is the device for which the run was started.
pub fn device(options: &GpuOptions) -> Result<Device, Failed> {
    let matrix_units = if by_matrix_units() { MatrixUnits::On } else { options.matrix_units };
    let device = Device::gpu_with(&GpuOptions { matrix_units, ..options.clone() }).map_err(|error| {
        format!(
            "{error}; install a driver (Debian, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1) or set \
             WGPU_MLP_SKIP_GPU=1 to skip the GPU tests"
        )
    })?;
    let info = device.info();
    let expected = match env::var("WGPU_MLP_STACK").as_deref() {
        Ok("lavapipe") => info.backend == "vulkan" && info.name.contains("llvmpipe"),
        Ok("gl") => info.backend == "gl",
        Ok("swiftshader") => info.name.contains("SwiftShader"),
        Ok("gpu") => info.kind == wgpu_mlp::DeviceKind::Gpu,
        _ => true,
    };
    if !expected {
        return Err(format!("the run is about {:?}, but the device is {info}", env::var("WGPU_MLP_STACK")).into());
    }
    Ok(device)
}

/// Whether two lists of results have the same bits. All NaN count as equal, because their bits depend on compilers.
pub fn same_bits(left: &[Array2<f32>], right: &[Array2<f32>]) -> bool {
    first_difference(left, right).is_none()
}

/// The first place where two lists of results differ in their bits, in words.
pub fn first_difference(left: &[Array2<f32>], right: &[Array2<f32>]) -> Option<String> {
    if left.iter().map(Array2::dim).ne(right.iter().map(Array2::dim)) {
        return Some("the shapes differ".into());
    }
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let pairs = left.iter().zip(right).enumerate();
    let places = pairs.flat_map(|(index, (a, b))| a.indexed_iter().zip(b).map(move |((at, a), b)| (index, at, *a, *b)));
    let mut differences = places.filter(|(.., a, b)| !same(*a, *b));
    let (index, at, a, b) = differences.next()?;
    let others = differences.count();
    let bits = |x: f32| format!("{x:e} ({:#010x})", x.to_bits());
    Some(format!("result {index}, {at:?}: {} and {}, and {others} others", bits(a), bits(b)))
}

/// Numbers like those of everyday data.
pub fn normal(rows: usize, cols: usize, seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, cols), || StandardNormal.sample(&mut rng))
}

/// Features around a centre for each class, with centres so far apart that the class of every row is certain; and these
/// classes.
pub fn clusters(rows: usize, features: usize, classes: usize, seed: u64) -> (Array2<f32>, Vec<u32>) {
    let (centres, noise) = (normal(classes, features, 1), normal(rows, features, seed));
    let labels: Vec<u32> = (0..rows).map(|row| (row * 7 + row / 3) as u32 % classes as u32).collect();
    let x = Array2::from_shape_fn(noise.dim(), |(r, c)| 3.0 * centres[[labels[r] as usize, c]] + 0.3 * noise[[r, c]]);
    (x, labels)
}

/// A device that the caller opened like the device under test, with other limits.
#[allow(clippy::expect_used, reason = "tests")]
pub fn yours(like: &Device, limits: impl Fn(&wgpu::Adapter) -> wgpu::Limits) -> Yours {
    let descriptor = wgpu::InstanceDescriptor::new_without_display_handle().with_env();
    let backends = descriptor.backends;
    let adapters = pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends));
    let same = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        info.name == like.info().name && info.backend.to_string() == like.info().backend
    };
    let adapter = adapters.into_iter().find(same).expect("the adapter is still there");
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits(&adapter), ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("a device");
    Yours { adapter, device, queue }
}

/// The wgpu objects of a caller who opened the device.
pub struct Yours {
    pub adapter: wgpu::Adapter,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
}

impl Yours {
    /// A device of the crate on these objects, which the caller can still use.
    pub fn share(&self) -> wgpu_mlp::Result<Device> {
        Device::from_wgpu(&self.adapter, self.device.clone(), self.queue.clone())
    }
}

const U: f64 = f32::EPSILON as f64;
/// The smallest normal f32. Smaller numbers may count as 0.
const FLUSH: f64 = f32::MIN_POSITIVE as f64;

/// Logits of a network in f64, and how far f32 arithmetic may be off by the ops' documented bounds, carried from layer to
/// layer.
pub fn exact_logits(x: &Array2<f32>, layers: &[Parameters]) -> (Array2<f64>, Array2<f64>) {
    let mut values = x.mapv(f64::from);
    let mut errors = Array2::<f64>::zeros(x.dim());
    for (index, Parameters { weights, biases }) in layers.iter().enumerate() {
        let (w, b) = (weights.mapv(f64::from), biases.mapv(f64::from));
        let (sizes, k) = (w.mapv(f64::abs), w.nrows() as f64);
        let terms = (values.mapv(f64::abs) + &errors).dot(&sizes);
        values = values.dot(&w) + b;
        let carried = errors.dot(&sizes);
        // The product's bound, with k + 1 terms that may be flushed to zero, and that of the sum with the bias.
        let product = terms.mapv(|terms| (k / 2.0 + 2.0) * U * terms + (k + 1.0) * FLUSH);
        let sum = (values.mapv(f64::abs) + &carried + &product) * U;
        errors = carried + product + sum;
        if index + 1 < layers.len() {
            values.mapv_inplace(|value| value.max(0.0));
        }
    }
    (values, errors)
}

/// Probabilities of these logits, and how far off f32 arithmetic may be if the logits have these errors.
pub fn exact_softmax(logits: &Array2<f64>, errors: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let (mut probs, mut bounds) = (logits.clone(), errors.clone());
    for (mut row, mut bound) in probs.rows_mut().into_iter().zip(bounds.rows_mut()) {
        let top = row.fold(f64::NEG_INFINITY, |top, x| top.max(*x));
        let off = bound.fold(0.0f64, |off, x| off.max(*x));
        let sum: f64 = row.iter().map(|x| (x - top).exp()).sum();
        // The part of softmax's documented bound that every column of the row has.
        let of_row = 30.0 + 2.0 * (row.len() as f64).log2() + row.len() as f64 / 64.0;
        for (x, bound) in row.iter_mut().zip(bound.iter_mut()) {
            let (p, distance) = ((*x - top).exp() / sum, top - *x + 2.0 * off);
            // Each exponential is off by a factor of at most exp(off), and so is their sum.
            let moved = p * (2.0 * off).exp();
            *bound = moved - p + U * moved * (of_row + 3.0 * distance) + FLUSH;
            *x = p;
        }
    }
    (probs, bounds)
}

/// Checks that each value is finite and within its bound; names the first that is not.
pub fn within(got: &Array2<f32>, want: &Array2<f64>, bound: &Array2<f64>) -> Result<(), String> {
    if got.dim() != want.dim() || got.dim() != bound.dim() {
        return Err(format!("{:?} instead of {:?}", got.dim(), want.dim()));
    }
    let bad = |at: &(usize, usize)| {
        let error = (f64::from(got[*at]) - want[*at]).abs();
        error.is_nan() || error > bound[*at]
    };
    match got.indexed_iter().map(|(at, _)| at).find(bad) {
        Some(at) => Err(format!("{at:?}: got {:e}, want {:e} within {:e}", got[at], want[at], bound[at])),
        None => Ok(()),
    }
}
