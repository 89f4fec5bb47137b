//! A case: inputs, what a device makes of them, what it should make of them, and what that costs.

use std::fmt;

use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::compare::{Worst, compare};
use crate::device::Device;
use crate::error::Result;

/// The generator that inputs are drawn from.
pub(crate) type CaseRng = ChaCha12Rng;

/// What an op is given: its matrices in the order of its arguments, and class ids where it takes some.
///
/// ```
/// let inputs = wgpu_mlp::verify::Inputs::default();
/// assert!(inputs.matrices.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The matrices.
    pub matrices: Vec<Array2<f32>>,
    /// The class ids.
    pub classes: Vec<u32>,
}

/// What one output should be, element by element.
///
/// ```
/// use ndarray::array;
/// let expected = wgpu_mlp::verify::Expected { want: array![[1.0]], bound: array![[1e-6]] };
/// assert_eq!(expected.want.dim(), expected.bound.dim());
/// ```
#[derive(Clone, Debug)]
pub struct Expected {
    /// The f64 reference.
    pub want: Array2<f64>,
    /// How far a result may be from it.
    pub bound: Array2<f64>,
}

pub(super) type Make = Box<dyn Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync>;
pub(super) type Run = Box<dyn Fn(&Device, &Inputs) -> Result<Vec<Array2<f32>>> + Send + Sync>;
pub(super) type Expect = Box<dyn Fn(&Inputs) -> Vec<Expected> + Send + Sync>;

/// One row of the table that feeds the parity tests, the report and the benches.
///
/// ```
/// let cases = wgpu_mlp::verify::cases();
/// assert!(cases.iter().any(|case| case.op == "softmax_cross_entropy"));
/// ```
pub struct Case {
    /// The op's stem.
    pub op: &'static str,
    /// What is special about this case; empty for everyday inputs.
    pub variant: String,
    /// `[m, k, n]` for products, else `[rows, cols, 1]`.
    pub dims: [usize; 3],
    /// Whether the case is left out where a stack is slow.
    pub large: bool,
    /// Floating-point operations, as a benchmark counts them.
    pub flops: u64,
    /// Bytes that must move at least.
    pub bytes: u64,
    pub(super) make: Make,
    pub(super) run: Run,
    pub(super) expect: Expect,
}

impl Case {
    /// The case's inputs, the same for the same seed.
    ///
    /// ```
    /// let case = &wgpu_mlp::verify::cases()[0];
    /// assert_eq!(case.inputs(7).matrices, case.inputs(7).matrices);
    /// ```
    pub fn inputs(&self, seed: u64) -> Inputs {
        (self.make)(&mut CaseRng::seed_from_u64(seed), self.dims)
    }

    /// What the device makes of the inputs.
    ///
    /// # Errors
    /// What the op returns.
    ///
    /// ```
    /// let case = &wgpu_mlp::verify::cases()[0];
    /// let outputs = case.run(&wgpu_mlp::Device::cpu(), &case.inputs(0))?;
    /// assert_eq!(outputs.len(), case.expected(&case.inputs(0)).len());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn run(&self, device: &Device, inputs: &Inputs) -> Result<Vec<Array2<f32>>> {
        (self.run)(device, inputs)
    }

    /// What it should make of them, and how far it may be off.
    ///
    /// ```
    /// let case = &wgpu_mlp::verify::cases()[0];
    /// assert!(!case.expected(&case.inputs(0)).is_empty());
    /// ```
    pub fn expected(&self, inputs: &Inputs) -> Vec<Expected> {
        (self.expect)(inputs)
    }

    /// Runs the case and gives the element that used up the largest share of its bound.
    ///
    /// # Errors
    /// What the op returns.
    ///
    /// ```
    /// let worst = wgpu_mlp::verify::cases()[0].verify(&wgpu_mlp::Device::cpu(), 0)?;
    /// assert!(worst.passed());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn verify(&self, device: &Device, seed: u64) -> Result<Worst> {
        let inputs = self.inputs(seed);
        Ok(compare(&self.run(device, &inputs)?, &self.expected(&inputs)))
    }

    /// The case's dimensions as a report prints them.
    ///
    /// ```
    /// assert!(wgpu_mlp::verify::cases()[0].shape().contains('x'));
    /// ```
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
