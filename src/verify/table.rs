//! The table of cases, to which each file of cases adds its own.

use ndarray::Array2;

use super::case::Case;
use super::expected::Expected;
use super::inputs::{CaseRng, Inputs};
use super::operands::{in_f64, uploaded};
use super::output::Output;
use super::shapes::is_large;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;

/// Computes the cost of an op from its dims: floating-point operations and bytes.
pub(super) type Cost = fn([u64; 3]) -> (u64, u64);
/// Draws the inputs of a case with these dims.
pub(super) type DrawFn = fn(&mut CaseRng, [usize; 3]) -> Inputs;
/// Computes the expected outputs from the matrices in f64.
pub(super) type ExpectFn = fn(&[Array2<f64>]) -> Vec<Expected>;

/// The cases so far.
#[derive(Default)]
pub(super) struct Table {
    pub cases: Vec<Case>,
}

impl Table {
    /// Adds a case of these dims.
    pub fn add(
        &mut self,
        (op, variant): (&'static str, &str),
        dims: [usize; 3],
        cost: Cost,
        draw: impl Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync + 'static,
        run: impl Fn(&Device, &Inputs) -> Result<Vec<Output>> + Send + Sync + 'static,
        expect: impl Fn(&Inputs) -> Vec<Expected> + Send + Sync + 'static,
    ) {
        let (flops, bytes) = cost(dims.map(|dim| dim as u64));
        let (variant, large) = (variant.into(), is_large(dims));
        let (draw, run, expect) = (Box::new(draw), Box::new(run), Box::new(expect));
        self.cases.push(Case { op, variant, dims, large, flops, bytes, draw, run, expect });
    }

    /// Adds a case of these dims whose operands are only matrices.
    pub fn add_on_matrices(
        &mut self,
        name: (&'static str, &str),
        dims: [usize; 3],
        cost: Cost,
        draw: impl Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync + 'static,
        run: impl Fn(&[Matrix]) -> Result<Vec<Output>> + Send + Sync + 'static,
        expect: impl Fn(&[Array2<f64>]) -> Vec<Expected> + Send + Sync + 'static,
    ) {
        let run = move |device: &Device, inputs: &Inputs| run(&uploaded(device, inputs)?);
        self.add(name, dims, cost, draw, run, move |inputs| expect(&in_f64(inputs)));
    }
}
