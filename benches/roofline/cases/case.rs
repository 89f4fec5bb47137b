//! A case: an op at a size, with its inputs, its floor, and how far two right answers may be apart.

use std::thread;

use ndarray::{Array2, Axis};
use parking_lot::Mutex;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::verify::{Expected, Inputs, Worst, compare};
use wgpu_mlp::{Device, Matrix, Result, Targets};

/// u = 2⁻²³, in which the ops' bounds are given.
pub(super) const U: f64 = f32::EPSILON as f64;
/// Random logits stay within this, and no two of a row are further apart than twice this.
pub(super) const LARGEST_NORMAL: f64 = 6.5;
/// The rate is small, so that numbers stay ordinary after any number of updates in place.
pub(super) const LEARNING_RATE: f64 = 1e-3;

/// Draws a case's inputs.
pub(super) type Make = Box<dyn Fn(&mut ChaCha8Rng) -> Result<Inputs>>;
/// Uploads inputs and returns the call that is timed.
pub(super) type Load = Box<dyn Fn(&Device, &Inputs) -> Result<Call>>;
pub(super) type LoadOp = fn(&Device, &Inputs) -> Result<Call>;
/// One call on operands that are already on the device.
pub(crate) type Call = Box<dyn FnMut() -> Result<Output>>;

/// The kinds of op, which have different colours in the picture.
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
    pub(super) relative: f64,
    pub(super) absolute: f64,
}

/// An op at a size.
pub(crate) struct Case {
    pub(crate) op: &'static str,
    pub(crate) shape: String,
    pub(crate) family: Family,
    /// Kernel by kernel; a step has several.
    pub(crate) work: Vec<Work>,
    pub(super) make: Make,
    pub(super) load: Load,
    /// For each output.
    pub(super) tolerances: Vec<Tolerance>,
}

/// The result of a call; matrices and class ids are still on their device.
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

    /// Compares an answer with the CPU path's.
    pub(crate) fn check(&self, inputs: &Inputs, got: &[Array2<f32>]) -> Result<Worst> {
        let want = self.load(&Device::cpu(), inputs)?()?.read()?;
        if got.len() != want.len() || got.iter().zip(&want).any(|(got, want)| got.dim() != want.dim()) {
            return Ok(compare(got, &[]));
        }
        let worst = Mutex::new(compare(&[], &[]));
        for (output, (got, want)) in got.iter().zip(&want).enumerate() {
            let tolerance = self.tolerances[output];
            let rows = rows_of_a_block(want.ncols());
            let blocks = got.axis_chunks_iter(Axis(0), rows).zip(want.axis_chunks_iter(Axis(0), rows));
            // Compared in blocks: the bounds of a gigabyte, in f64, would take four.
            on_all_threads(blocks.enumerate(), |(block, (got, want))| {
                let want = want.mapv(f64::from);
                // Results below the smallest normal f32 may come out as 0.
                let least = tolerance.absolute + f64::from(f32::MIN_POSITIVE);
                let bound = want.mapv(|want| tolerance.relative * want.abs() + least);
                let found = compare(&[got.to_owned()], &[Expected { want, likely: bound.clone(), bound }]);
                let mut worst = worst.lock();
                if found.share > worst.share {
                    let (row, col) = found.element;
                    *worst = Worst { output, element: (block * rows + row, col), ..found };
                }
            });
        }
        Ok(worst.into_inner())
    }
}

pub(super) fn relative(relative: f64) -> Tolerance {
    Tolerance { relative, absolute: 0.0 }
}

pub(super) fn absolute(absolute: f64) -> Tolerance {
    Tolerance { relative: 0.0, absolute }
}

/// Normal numbers, the same on any number of threads: each block of rows has a seed of its own.
pub(super) fn normal(rng: &mut ChaCha8Rng, shape: (usize, usize)) -> Array2<f32> {
    let mut values = Array2::zeros(shape);
    let blocks = values.axis_chunks_iter_mut(Axis(0), rows_of_a_block(shape.1));
    on_all_threads(blocks.map(|block| (block, rng.random())), |(mut block, seed)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        block.map_inplace(|value| *value = StandardNormal.sample(&mut rng));
    });
    values
}

/// As many rows as have a megabyte together.
fn rows_of_a_block(cols: usize) -> usize {
    ((1 << 18) / cols).max(1)
}

/// Distributes the items, in their order, among all threads of the machine.
fn on_all_threads<T>(items: impl Iterator<Item = T> + Send, work: impl Fn(T) + Sync) {
    let items = Mutex::new(items);
    let one_after_the_other = || {
        loop {
            let Some(item) = items.lock().next() else { break };
            work(item);
        }
    };
    thread::scope(|scope| {
        for _ in 1..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(one_after_the_other);
        }
        one_after_the_other();
    });
}

pub(super) fn classes(rng: &mut ChaCha8Rng, rows: usize, classes: usize) -> Vec<u32> {
    (0..rows).map(|_| rng.random_range(0..classes as u32)).collect()
}

pub(super) fn matrices<const N: usize>(matrices: [Array2<f32>; N]) -> Inputs {
    Inputs { matrices: matrices.into(), ..Default::default() }
}

pub(super) fn one(matrix: Matrix) -> Result<Output> {
    Ok(Output::Matrices(vec![matrix]))
}

pub(super) fn upload(device: &Device, inputs: &Inputs) -> Result<Vec<Matrix>> {
    inputs.matrices.iter().map(|matrix| Matrix::from_array(device, matrix.view())).collect()
}
