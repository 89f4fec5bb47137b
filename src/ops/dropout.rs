//! dropout: some elements left out at random, the same ones on every device.

use bytemuck::{Pod, Zeroable};

use super::{ELEMENTWISE, On, on};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{Access, ElementLaunch, Form, Kernel, LinearGrid, Operand};
use crate::matrix::Matrix;

const OP: &str = "dropout";

pub(super) static KERNEL: Kernel = Kernel {
    name: OP,
    file: "elements/dropout.wgsl",
    forms: Form::PLAIN,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Write],
    overrides: ELEMENTWISE,
    sizes: &[],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    key: [u32; 4],
    first: [u32; 2],
    count: u32,
    threshold: u32,
    scale: f32,
    multiplier: u32,
    increment: u32,
    shift: u32,
}

/// The numbers of pcg4d: those of the linear congruential generator of Numerical Recipes, and half a word.
#[derive(Clone, Copy, Debug)]
struct Hash {
    pub multiplier: u32,
    pub increment: u32,
    pub shift: u32,
}

const PCG4D: Hash = Hash { multiplier: 1_664_525, increment: 1_013_904_223, shift: 16 };

/// Which elements stay, and by what they are scaled.
#[derive(Clone, Copy, Debug)]
struct Choice {
    pub key: [u32; 4],
    /// Elements whose hash is below this go.
    pub threshold: u32,
    pub scale: f32,
    pub hash: Hash,
}

impl Choice {
    fn new(rate: f32, seed: u64, counter: u64) -> Self {
        let words = |number: u64| [number as u32, (number >> 32) as u32];
        let ([a, b], [c, d]) = (words(seed), words(counter));
        let threshold = (f64::from(rate) * 2f64.powi(32)) as u32;
        let scale = (1.0 / (1.0 - f64::from(rate))) as f32;
        Choice { key: key([a, b, c, d]), threshold, scale, hash: PCG4D }
    }
}

/// pcg4d of seed and counter, in full.
fn key(words: [u32; 4]) -> [u32; 4] {
    let Hash { multiplier, increment, shift } = PCG4D;
    let round = |[x, y, z, w]: [u32; 4]| {
        let x = x.wrapping_add(y.wrapping_mul(w));
        let y = y.wrapping_add(z.wrapping_mul(x));
        let z = z.wrapping_add(x.wrapping_mul(y));
        [x, y, z, w.wrapping_add(y.wrapping_mul(z))]
    };
    let begun = words.map(|word| word.wrapping_mul(multiplier).wrapping_add(increment));
    round(round(begun).map(|word| word ^ (word >> shift)))
}

/// X with elements left out at random: each becomes 0 with probability `rate`, the others are divided by 1 - rate, so that
/// the mean stays (Srivastava et al., [2014](https://jmlr.org/papers/v15/srivastava14a.html), in its inverted form).
///
/// Which ones depends on rate, `seed`, `counter` and the element's place in the matrix alone, by a hash of integers
/// ([pcg4d](https://jcgt.org/published/0009/03/02/)): the same on every device. A step of training takes another counter.
/// Error: u |x / (1 - rate)|, u = 2⁻²³. NaN and infinity that are left out are 0.
///
/// # Errors
/// [`Error::Option`] unless the rate is at least 0 and below 1.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_slice(&Device::cpu(), 10, 100, &[1.0; 1000])?;
/// let y = ops::dropout(&x, 0.5, 7, 0)?.to_array()?;
/// assert!(y.iter().all(|y| [0.0, 2.0].contains(y)));
/// assert!((y.mean().unwrap() - 1.0).abs() < 0.15);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn dropout(x: &Matrix, rate: f32, seed: u64, counter: u64) -> Result<Matrix> {
    if !(0.0..1.0).contains(&rate) {
        let rule = "from 0 up to but not including 1";
        return Err(Error::Option { op: OP, option: "rate", rule, value: rate.into() });
    }
    match on(OP, [x])? {
        On::Cpu([values]) => Ok(Matrix::on_cpu(x.device(), cpu::dropout(values, rate, seed, counter))),
        On::Gpu(gpu, [values]) => {
            let (rows, cols) = x.shape();
            let out = gpu.buffer(OP, rows, cols)?;
            let Choice { key, threshold, scale, hash: Hash { multiplier, increment, shift } } =
                Choice::new(rate, seed, counter);
            gpu.launch_elements(
                gpu.split_flat(x.elements()),
                &ElementLaunch {
                    kernel: &KERNEL,
                    constants: &LinearGrid::constants(),
                    operands: &[Operand::Matrix(values), Operand::Matrix(&out)],
                },
                |block, _| {
                    let first = block.cols.start as u64;
                    let first = [first as u32, (first >> 32) as u32];
                    Params { key, first, count: block.words(), threshold, scale, multiplier, increment, shift }
                },
            )?;
            Ok(Matrix::on_gpu(x.device(), rows, cols, out))
        }
    }
}

/// The gradient of [`dropout`] with the same rate, seed and counter: dY with the same elements left out and scaled.
///
/// # Errors
/// As [`dropout`].
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_slice(&Device::cpu(), 1, 3, &[1.0, 2.0, 3.0])?;
/// let (y, dx) = (ops::dropout(&x, 0.5, 7, 0)?, ops::dropout_backward(&x, 0.5, 7, 0)?);
/// assert_eq!(y.to_array()?, dx.to_array()?);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn dropout_backward(dy: &Matrix, rate: f32, seed: u64, counter: u64) -> Result<Matrix> {
    dropout(dy, rate, seed, counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_pcg4ds() {
        // From the published formula, worked out apart from this crate.
        assert_eq!(key([0; 4]), [0x0f02_f829, 0x2d56_8769, 0x32b0_c43b, 0xd325_48ea]);
        assert_eq!(key([1, 2, 3, 4]), [0x3622_cd16, 0xf114_71d8, 0xe110_9b3f, 0x02b9_4c2f]);
        assert_eq!(key([u32::MAX, 7, 0, 123_456_789])[0], 0x6a8d_a6fe);
    }
}
