//! The trial of a kernel for products: calls in every layout and with every epilogue, whose exact results are known.

use ndarray::{Array2, Axis, Zip};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::cpu;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, Activation};

/// The largest magnitude up to which f32 represents all integers.
const EXACT: usize = 1 << 24;
/// The largest number that is drawn.
const LARGEST: usize = 8;

/// The integers that are drawn for sums over k. They are so small and so few that the magnitudes of a sum's terms add up to
/// [`EXACT`] at most. So no partial sum is rounded, in whichever order the terms are added.
#[derive(Clone, Copy, Debug)]
struct Integers {
    /// The largest magnitude.
    largest: usize,
    /// The distance between the steps of k at which a column of B may differ from 0. It is 1 for every k below 2²⁴. Beyond that
    /// even sums of ones would be rounded.
    apart: usize,
}

impl Integers {
    fn over(k: usize) -> Self {
        let apart = k.div_ceil(EXACT - 1).max(1);
        // The bias is one term more.
        let terms = k.div_ceil(apart) + 1;
        Integers { largest: (EXACT / terms).isqrt().clamp(1, LARGEST), apart }
    }
}

/// The operands of the calls: A is `m x k`, B is `k x n`.
pub(super) struct Operands {
    a: Matrix,
    /// Aᵀ.
    a_turned: Matrix,
    b: Matrix,
    /// Bᵀ.
    b_turned: Matrix,
    /// The bias, `1 x n`.
    bias: Matrix,
    /// The outputs of a ReLU, `m x n`: positive, 0 and negative.
    outputs: Matrix,
}

impl Operands {
    /// Operands without content, for a dry run.
    pub fn planned(dry: &Device, [m, k, n]: [usize; 3]) -> Result<Self> {
        let planned = |rows, cols| Matrix::planned(dry, "tune", rows, cols);
        Ok(Operands {
            a: planned(m, k)?,
            a_turned: planned(k, m)?,
            b: planned(k, n)?,
            b_turned: planned(n, k)?,
            bias: planned(1, n)?,
            outputs: planned(m, n)?,
        })
    }
}

/// The exact results of the calls.
struct Results {
    product: Array2<f32>,
    /// ReLU of the product with the bias.
    activated: Array2<f32>,
    /// The product where the ReLU's outputs are positive, else 0.
    masked: Array2<f32>,
    column_sums: Array2<f32>,
}

/// A call whose product the kernel computes.
pub(super) struct Call {
    pub run: fn(&Operands) -> Result<Vec<Matrix>>,
    want: fn(&Results) -> Vec<&Array2<f32>>,
}

/// A call for each layout, for the bias with ReLU, for the mask, and for the gradients of a layer, whose product may come
/// in slices and whose column sums the kernel computes along the way. The first call is the plain product.
pub(super) static CALLS: [Call; 6] = [
    Call { run: |x| Ok(vec![ops::matmul(&x.a, &x.b)?]), want: |results| vec![&results.product] },
    Call { run: |x| Ok(vec![ops::matmul_tn(&x.a_turned, &x.b)?]), want: |results| vec![&results.product] },
    Call { run: |x| Ok(vec![ops::matmul_nt(&x.a, &x.b_turned)?]), want: |results| vec![&results.product] },
    Call {
        run: |x| Ok(vec![ops::linear(&x.a, &x.b, &x.bias, Activation::Relu)?]),
        want: |results| vec![&results.activated],
    },
    Call {
        run: |x| Ok(vec![ops::linear_backward(&x.a, &x.b_turned, &x.outputs)?]),
        want: |results| vec![&results.masked],
    },
    Call {
        run: |x| ops::linear_gradients(&x.a_turned, &x.b).map(|(weights, biases)| vec![weights, biases]),
        want: |results| vec![&results.product, &results.column_sums],
    },
];

/// The trial of one shape. It is exact in any order of additions, so a kernel that is wrong in a single element is detected.
///
/// It does not run the fused loss of layers with up to 16 columns, whose kernel follows the product's tile, nor the variants of
/// other alignments in the class of the shape. The cases of [`verify`](crate::verify) cover them.
pub(super) struct Trial {
    pub operands: Operands,
    results: Results,
}

impl Trial {
    pub fn new(device: &Device, rng: &mut ChaCha12Rng, [m, k, n]: [usize; 3]) -> Result<Self> {
        let Integers { largest, apart } = Integers::over(k);
        let largest = largest as i8;
        let mut integer = || f32::from(rng.random_range(-largest..=largest));
        let a = Array2::from_shape_simple_fn((m, k), &mut integer);
        let b = Array2::from_shape_fn((k, n), |(step, col)| match (step + col).is_multiple_of(apart) {
            true => integer(),
            false => 0.0,
        });
        let bias = Array2::from_shape_simple_fn((1, n), &mut integer);
        let outputs = Array2::from_shape_simple_fn((m, n), &mut integer);
        let product = cpu::matmul(a.mapv(f64::from).view(), b.mapv(f64::from).view()).mapv(|sum| sum as f32);
        let masked = Zip::from(&product).and(&outputs).map_collect(|x, output| if *output > 0.0 { *x } else { 0.0 });
        let results = Results {
            activated: (&product + &bias).mapv(|x| x.max(0.0)),
            masked,
            column_sums: b.sum_axis(Axis(0)).insert_axis(Axis(0)),
            product,
        };
        let operands = Operands {
            a: Matrix::from_array(device, a.view())?,
            a_turned: Matrix::from_array(device, a.t())?,
            b: Matrix::from_array(device, b.view())?,
            b_turned: Matrix::from_array(device, b.t())?,
            bias: Matrix::from_array(device, bias.view())?,
            outputs: Matrix::from_array(device, outputs.view())?,
        };
        Ok(Trial { operands, results })
    }

    /// The exact results of a call, in its order.
    pub fn want(&self, call: &Call) -> Vec<&Array2<f32>> {
        (call.want)(&self.results)
    }
}

/// Whether a result has the right shape and the right value in every element.
pub(super) fn agrees(got: &Array2<f32>, want: &Array2<f32>) -> bool {
    got == want
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::{CALLS, EXACT, Integers, LARGEST, Trial, agrees};
    use crate::device::Device;

    #[test]
    fn one_wrong_element_anywhere_is_seen() {
        // The terms of the longer sums have magnitudes that add up to nearly 2²⁴.
        for dims @ [_, k, _] in [[100, 40, 30], [9, 1 << 18, 8]] {
            let trial = Trial::new(&Device::cpu(), &mut ChaCha12Rng::seed_from_u64(1), dims).unwrap();
            for (number, call) in CALLS.iter().enumerate() {
                let (made, want) = ((call.run)(&trial.operands).unwrap(), trial.want(call));
                assert_eq!(made.len(), want.len());
                for (made, want) in made.iter().zip(want) {
                    let (name, right) = (format!("call {number}, k = {k}"), made.to_array().unwrap());
                    assert!(agrees(&right, want), "{name}");
                    assert!(!agrees(&Array2::zeros(right.dim()), want), "{name}: zeros");
                    assert!(!agrees(&right.mapv(|_| f32::NAN), want), "{name}: NaN");
                    let (rows, cols) = right.dim();
                    assert!(
                        !agrees(&right.slice(ndarray::s![.., ..cols - 1]).to_owned(), want),
                        "{name}: a column less"
                    );
                    for at in [[0, 0], [rows / 2, cols / 2], [rows - 1, cols - 1]] {
                        let mut wrong = right.clone();
                        wrong[at] += 1.0;
                        assert!(!agrees(&wrong, want), "{name}: {at:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_sum_is_rounded_however_long_it_is() {
        for k in [1, 40, (1 << 18) - 2, 1 << 18, 1 << 22, EXACT - 1, EXACT, 5 * EXACT + 3, 1 << 30] {
            let Integers { largest, apart } = Integers::over(k);
            assert!((1..=LARGEST).contains(&largest));
            assert!((k.div_ceil(apart) + 1) * largest * largest <= EXACT, "{k}");
            assert_eq!(apart == 1, k < EXACT, "{k}");
        }
        assert_eq!(Integers::over(1000).largest, LARGEST);
    }
}
