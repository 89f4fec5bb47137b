//! A case: an op with inputs, its expected results, and its cost.

use std::fmt;

use ndarray::Array2;
use rand::SeedableRng;

use super::compare::{Worst, compare};
use super::expected::Expected;
use super::inputs::{CaseRng, Inputs};
use super::output::Output;
use crate::device::Device;
use crate::error::Result;
use crate::waiting::{Waiting, blocking_and_async};

/// Draws the inputs of a case with these dims.
pub(super) type Draw = Box<dyn Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync>;
/// Runs the ops of a case on a device.
pub(super) type Run = Box<dyn Fn(&Device, &Inputs) -> Result<Vec<Output>> + Send + Sync>;
/// Computes the expected outputs from the reference.
pub(super) type Expect = Box<dyn Fn(&Inputs) -> Vec<Expected> + Send + Sync>;

/// A case: an op with its inputs and expected results. The table of cases feeds the parity tests, the report and the benches.
///
/// ```
/// let cases = wgpu_mlp::verify::cases();
/// assert!(cases.iter().any(|case| case.op == "softmax_cross_entropy"));
/// ```
pub struct Case {
    /// The name of the op, or a name for the test of several ops together.
    pub op: &'static str,
    /// The options and the kind of inputs; empty for default options and everyday inputs.
    pub variant: String,
    /// `[m, k, n]` for products, else `[rows, cols, 1]`.
    pub dims: [usize; 3],
    /// Whether the case is left out of a quick run, where [`Options::full`](super::Options::full) is false.
    pub large: bool,
    /// Floating-point operations, as a benchmark counts them.
    pub flops: u64,
    /// The bytes that the op must read and write at least.
    pub bytes: u64,
    pub(super) draw: Draw,
    pub(super) run: Run,
    pub(super) expect: Expect,
}

impl Case {
    /// The case's inputs. One seed always gives one set of inputs.
    pub fn inputs(&self, seed: u64) -> Inputs {
        (self.draw)(&mut CaseRng::seed_from_u64(seed), self.dims)
    }

    blocking_and_async! {
        /// Runs the case on the device with these inputs, and reads its outputs.
        ///
        /// # Errors
        /// Errors of the op.
        ///
        /// ```
        /// let case = &wgpu_mlp::verify::cases()[0];
        /// let outputs = case.run(&wgpu_mlp::Device::cpu(), &case.inputs(0))?;
        /// assert_eq!(outputs.len(), case.expected(&case.inputs(0)).len());
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn run, run_async(&self, device: &Device, inputs: &Inputs) -> Result<Vec<Array2<f32>>> = |waiting| {
            self.run_by(waiting, device, inputs).await
        }
    }

    pub(super) async fn run_by(&self, waiting: Waiting, device: &Device, inputs: &Inputs) -> Result<Vec<Array2<f32>>> {
        device.make_room(waiting).await?;
        let outputs = (self.run)(device, inputs)?;
        let mut arrays = Vec::with_capacity(outputs.len());
        for output in outputs {
            arrays.push(output.read(waiting).await?);
        }
        Ok(arrays)
    }

    /// The expected outputs for these inputs: the reference and its bounds.
    pub fn expected(&self, inputs: &Inputs) -> Vec<Expected> {
        (self.expect)(inputs)
    }

    blocking_and_async! {
        /// Runs the case and finds the element whose error is the largest share of its bound.
        ///
        /// The asynchronous form does not block while the device computes, but the reference is computed within one poll.
        ///
        /// # Errors
        /// Errors of the op.
        ///
        /// ```
        /// let worst = wgpu_mlp::verify::cases()[0].verify(&wgpu_mlp::Device::cpu(), 0)?;
        /// assert!(worst.passed());
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn verify, verify_async(&self, device: &Device, seed: u64) -> Result<Worst> = |waiting| {
            let (inputs, expected) = self.drawn(seed);
            Ok(compare(&self.run_by(waiting, device, &inputs).await?, &expected))
        }
    }

    /// The inputs of a seed, with the expected outputs.
    pub(super) fn drawn(&self, seed: u64) -> (Inputs, Vec<Expected>) {
        let inputs = self.inputs(seed);
        let expected = self.expected(&inputs);
        (inputs, expected)
    }

    /// The case's dimensions as a report prints them.
    pub fn shape(&self) -> String {
        match self.dims {
            [rows, cols, 1] if !self.op.starts_with("matmul") && !self.op.starts_with("linear") => {
                format!("{rows}x{cols}")
            }
            [m, k, n] => format!("{m}x{k}x{n}"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op, self.shape())?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, " ({})", self.variant) }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({self})")
    }
}
