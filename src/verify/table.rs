//! The table of cases: every op, in every size that could go wrong.

use ndarray::Array2;

use super::bounds::Bound;
use super::case::{Case, CaseRng, Expected, Inputs};
use super::inputs::{Fill, classes, distributions};
use super::output::Output;
use super::{gradients, head, nll, training};
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::targets::Targets;

/// m, k, n: 1, one less than a tile, a tile, one more, primes, one much longer than the others; never two alike; two that
/// every tile covers exactly, in one slice of k and in two; and few rows or columns.
pub(super) const PRODUCTS: &[[usize; 3]] = &[
    [1, 2, 3],
    [2, 1, 5],
    [3, 5, 1],
    [31, 15, 33],
    [32, 16, 64],
    [33, 17, 31],
    [127, 31, 15],
    [128, 48, 16],
    [129, 3, 7],
    [15, 33, 127],
    [16, 5, 128],
    [7, 64, 129],
    [63, 257, 65],
    [10, 1031, 12],
    [65, 255, 257],
    [257, 47, 259],
    [256, 48, 128],
    [512, 256, 128],
    [40, 512, 64],
    [16, 20, 128],
    [3, 9, 30],
    [3, 11, 61],
    [3, 5, 130],
    [7, 6, 30],
    [7, 10, 62],
    [4, 12, 32],
    [4, 16, 64],
    [4, 20, 128],
    [8, 12, 32],
    [8, 16, 64],
    [8, 20, 128],
    [16, 24, 32],
    [60, 7, 3],
    [130, 9, 3],
    [130, 9, 11],
    [32, 24, 12],
    [4, 200, 128],
    [8, 204, 128],
    [32, 12, 4],
    [64, 16, 4],
    [128, 20, 4],
    [32, 24, 8],
    [64, 20, 8],
    [128, 28, 8],
];
/// Products that take a slow software driver long.
pub(super) const LARGE_PRODUCTS: &[[usize; 3]] = &[[300, 128, 320], [20, 5003, 37], [513, 260, 130]];

/// rows, cols: lanes and workgroups just full, one more and one less, more columns than lanes, long and thin.
const MATRICES: &[[usize; 3]] = &[
    [1, 1, 1],
    [2, 3, 1],
    [127, 1, 1],
    [128, 2, 1],
    [129, 10, 1],
    [5, 15, 1],
    [22, 16, 1],
    [23, 17, 1],
    [33, 31, 1],
    [13, 127, 1],
    [11, 128, 1],
    [12, 129, 1],
    [37, 1000, 1],
    [2, 1027, 1],
    [2, 1028, 1],
    [2, 2052, 1],
    [3, 4099, 1],
    [3, 4100, 1],
    [3, 8195, 1],
    [2, 8196, 1],
    [2, 16_391, 1],
    [2, 16_404, 1],
    [2, 32_771, 1],
    [2, 32_772, 1],
    [132, 10, 1],
    [300, 4, 1],
    [50, 20, 1],
    [1031, 10, 1],
];
/// Matrices that take a slow software driver long.
const LARGE_MATRICES: &[[usize; 3]] = &[[16_411, 3, 1], [263, 1009, 1], [2, 70_001, 1]];

/// Every matrix's dims, small and large.
pub(super) fn all_matrices() -> impl Iterator<Item = &'static [usize; 3]> {
    MATRICES.iter().chain(LARGE_MATRICES)
}

/// All cases, op by op.
///
/// ```
/// let cases = wgpu_mlp::verify::cases();
/// let ops: std::collections::HashSet<_> = cases.iter().map(|case| case.op).collect();
/// assert!(ops.len() >= 20);
/// ```
pub fn cases() -> Vec<Case> {
    let mut table = Table::default();
    table.products();
    table.elementwise();
    table.dropouts();
    table.by_row();
    nll::cases(&mut table);
    table.counts();
    table.updates();
    head::cases(&mut table);
    head::linear_cases(&mut table);
    gradients::cases(&mut table);
    training::cases(&mut table);
    #[cfg(wgpu_mlp_mutants)]
    table.cases.retain(super::mutants::wants);
    table.cases
}

/// What an op costs: floating-point operations and bytes, from its dims.
pub(super) type Cost = fn([u64; 3]) -> (u64, u64);

/// One way to draw a case's inputs.
pub(super) type Draw = fn(&mut CaseRng, [usize; 3]) -> Inputs;

/// The cases so far.
#[derive(Default)]
pub(super) struct Table {
    cases: Vec<Case>,
}

impl Table {
    /// Adds a case of these dims.
    pub(super) fn add(
        &mut self,
        (op, variant): (&'static str, &str),
        dims: [usize; 3],
        cost: Cost,
        make: impl Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync + 'static,
        run: impl Fn(&Device, &Inputs) -> Result<Vec<Output>> + Send + Sync + 'static,
        expect: impl Fn(&Inputs) -> Vec<Expected> + Send + Sync + 'static,
    ) {
        let (flops, bytes) = cost(dims.map(|dim| dim as u64));
        let large = LARGE_PRODUCTS.contains(&dims) || LARGE_MATRICES.contains(&dims);
        let variant = variant.into();
        let (make, run, expect) = (Box::new(make), Box::new(run), Box::new(expect));
        self.cases.push(Case { op, variant, dims, large, flops, bytes, make, run, expect });
    }

    /// Adds a case for each matrix's dims.
    pub(super) fn matrices(
        &mut self,
        name: (&'static str, &str),
        cost: Cost,
        make: Draw,
        run: fn(&Device, &Inputs) -> Result<Vec<Output>>,
        expect: fn(&Inputs) -> Vec<Expected>,
    ) {
        for dims in all_matrices() {
            self.add(name, *dims, cost, make, run, expect);
        }
    }
}

/// A reference that leaves room for nothing but the flush of denormals, which WGSL allows.
pub(super) fn exactly(want: Array2<f64>) -> Expected {
    let flush = Bound::FLUSH.most;
    Expected::within(&want.mapv(|want| if want.abs() < flush { Bound::FLUSH } else { Bound::NONE }), want)
}

pub(super) fn matrices<const N: usize>(matrices: [Array2<f32>; N]) -> Inputs {
    Inputs { matrices: matrices.into(), ..Default::default() }
}

/// A matrix with class ids, or with distributions behind it.
pub(super) fn supervised(fill: Fill, distributed: bool, rng: &mut CaseRng, [rows, cols, _]: [usize; 3]) -> Inputs {
    let x = fill(rng, rows, cols);
    match distributed {
        true => matrices([x, distributions(rng, rows, cols)]),
        false => Inputs { matrices: vec![x], classes: classes(rng, rows, cols) },
    }
}

/// The matrices on the device.
pub(super) fn uploaded(device: &Device, inputs: &Inputs) -> Result<Vec<Matrix>> {
    inputs.matrices.iter().map(|matrix| Matrix::from_array(device, matrix.view())).collect()
}

/// The targets of [`supervised`] inputs on the device.
pub(super) fn targets(device: &Device, inputs: &Inputs, distributed: bool) -> Result<Targets> {
    match distributed {
        true => Targets::distributions(device, inputs.matrices[1].view()),
        false => {
            // Marked rows are -100 as i32.
            let labels: Vec<_> = inputs.classes.iter().map(|class| *class as i32).collect();
            Targets::classes(device, &labels, inputs.matrices[0].ncols())
        }
    }
}

/// The matrices in f64.
pub(super) fn reference(inputs: &Inputs) -> Vec<Array2<f64>> {
    inputs.matrices.iter().map(|matrix| matrix.mapv(f64::from)).collect()
}
