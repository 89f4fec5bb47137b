//! What is timed: each op at a few sizes, with its inputs, its floor, and how far two right answers may be apart.

mod by_row;
mod elementwise;
mod products;
mod training_step;

use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::verify::{Expected, Inputs};
use wgpu_mlp::{Device, Matrix, Result, Targets};

/// u = 2⁻²³, in which the ops' bounds are given.
const U: f64 = f32::EPSILON as f64;
/// Random logits stay within this, and no two of a row are further apart than twice this.
const LARGEST_NORMAL: f64 = 6.5;
/// Small, so that in-place updates leave ordinary numbers however often they are repeated.
const LEARNING_RATE: f64 = 1e-3;

/// Draws a case's inputs.
type Make = Box<dyn Fn(&mut ChaCha8Rng) -> Result<Inputs>>;
/// Uploads inputs and gives what is to be timed.
type Load = Box<dyn Fn(&Device, &Inputs) -> Result<Call>>;
type LoadOp = fn(&Device, &Inputs) -> Result<Call>;
/// One call on operands that are on the device already.
pub(crate) type Call = Box<dyn FnMut() -> Result<Output>>;

/// The kinds of op, which the picture tells apart by colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Product,
    Elementwise,
    ByRow,
    Step,
}

/// Floating-point operations, and bytes that must move at least.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) flop: f64,
    pub(crate) bytes: f64,
}

/// How far two answers may be apart, both of them within the op's bound.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tolerance {
    relative: f64,
    absolute: f64,
}

/// An op at a size.
pub(crate) struct Case {
    pub(crate) op: &'static str,
    pub(crate) shape: String,
    pub(crate) family: Family,
    /// Kernel by kernel; a step has several.
    pub(crate) work: Vec<Work>,
    make: Make,
    load: Load,
    /// For each output.
    tolerances: Vec<Tolerance>,
}

/// What a call gives; matrices and class ids are still on their device.
pub(crate) enum Output {
    Matrices(Vec<Matrix>),
    Classes(Targets),
    Number(f64),
}

impl Output {
    pub(crate) fn is_on_device(&self) -> bool {
        !matches!(self, Output::Number(_))
    }

    /// Its values, as matrices in host memory.
    pub(crate) fn read(&self) -> Result<Vec<Array2<f32>>> {
        let column = |ids: Vec<u32>| Array2::from_shape_fn((ids.len(), 1), |(row, _)| ids[row] as f32);
        match self {
            Output::Matrices(matrices) => matrices.iter().map(Matrix::to_array).collect(),
            Output::Classes(targets) => Ok(vec![column(targets.to_classes()?)]),
            Output::Number(number) => Ok(vec![Array2::from_elem((1, 1), *number as f32)]),
        }
    }
}

impl Case {
    pub(crate) fn inputs(&self) -> Result<Inputs> {
        (self.make)(&mut ChaCha8Rng::seed_from_u64(7))
    }

    /// Uploads the inputs.
    pub(crate) fn load(&self, device: &Device, inputs: &Inputs) -> Result<Call> {
        (self.load)(device, inputs)
    }

    /// The CPU path's answer, and how far another may be from it.
    pub(crate) fn expected(&self, inputs: &Inputs) -> Result<Vec<Expected>> {
        let answer = self.load(&Device::cpu(), inputs)?()?.read()?;
        let around = |(want, tolerance): (Array2<f32>, &Tolerance)| {
            let want = want.mapv(f64::from);
            // Results below the smallest normal f32 may come out as 0.
            let least = tolerance.absolute + f64::from(f32::MIN_POSITIVE);
            Expected { bound: want.mapv(|want| tolerance.relative * want.abs() + least), want }
        };
        Ok(answer.into_iter().zip(&self.tolerances).map(around).collect())
    }
}

fn relative(relative: f64) -> Tolerance {
    Tolerance { relative, absolute: 0.0 }
}

fn absolute(absolute: f64) -> Tolerance {
    Tolerance { relative: 0.0, absolute }
}

/// Every case; of each op only the first size where `quick`.
pub(crate) fn all(quick: bool) -> Vec<Case> {
    let mut cases = products::cases();
    for rows in [8 << 10, 16 << 10] {
        cases.extend(elementwise::cases(rows, 1024));
    }
    for (rows, cols) in [(32_768, 1_000), (65_536, 10), (256, 50_000)] {
        cases.extend(by_row::cases(rows, cols));
    }
    cases.push(training_step::case([784, 512, 10], 4096));
    // One op after the other, its sizes together.
    let ops: Vec<_> = cases.iter().map(|case| case.op).collect();
    cases.sort_by_key(|case| ops.iter().position(|op| *op == case.op));
    if quick {
        cases.dedup_by_key(|case| case.op);
    }
    cases
}

fn normal(rng: &mut ChaCha8Rng, shape: (usize, usize)) -> Array2<f32> {
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(rng))
}

fn classes(rng: &mut ChaCha8Rng, rows: usize, classes: usize) -> Vec<u32> {
    (0..rows).map(|_| rng.random_range(0..classes as u32)).collect()
}

fn matrices<const N: usize>(matrices: [Array2<f32>; N]) -> Inputs {
    Inputs { matrices: matrices.into(), ..Default::default() }
}

fn one(matrix: Matrix) -> Result<Output> {
    Ok(Output::Matrices(vec![matrix]))
}

fn upload(device: &Device, inputs: &Inputs) -> Result<Vec<Matrix>> {
    inputs.matrices.iter().map(|matrix| Matrix::from_array(device, matrix.view())).collect()
}
