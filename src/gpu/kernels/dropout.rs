//! The kernels of dropout, and the key of the hash that decides which elements they keep.

use bytemuck::{Pod, Zeroable};

use super::constants::ELEMENTWISE;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, ElementLaunch, Form, Kernel, LinearGrid, Operand};

const OP: &str = "dropout";
const OF_ROWS: &str = "dropout_rows";

static KERNEL: Kernel = Kernel {
    name: OP,
    file: "elements/dropout.wgsl",
    forms: Form::PLAIN,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Write],
    overrides: ELEMENTWISE,
    sizes: &[],
};

static ROWS_KERNEL: Kernel = Kernel {
    name: OF_ROWS,
    file: "elements/dropout_rows.wgsl",
    forms: Form::PLAIN,
    params: size_of::<RowsParams>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: ELEMENTWISE,
    sizes: &[],
};

#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 2] = [&KERNEL, &ROWS_KERNEL];

/// The parameters of the choice of elements: `Draws` in `shaders/elements/pcg4d.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Draws {
    key: [u32; 4],
    /// The threshold of the hash. Elements whose hash is below it become 0.
    threshold: u32,
    scale: f32,
    multiplier: u32,
    increment: u32,
    shift: u32,
    spare: [u32; 3],
}

impl Draws {
    fn new(rate: f32, [seed, counter]: [u64; 2]) -> Self {
        let ([a, b], [c, d]) = (words(seed), words(counter));
        Draws {
            key: key([a, b, c, d]),
            threshold: (f64::from(rate) * 2f64.powi(32)) as u32,
            scale: (1.0 / (1.0 - f64::from(rate))) as f32,
            multiplier: MULTIPLIER,
            increment: INCREMENT,
            shift: SHIFT,
            spare: [0; 3],
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    draws: Draws,
    first: [u32; 2],
    count: u32,
    spare: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct RowsParams {
    draws: Draws,
    cols: u32,
    col: u32,
    count: u32,
    spare: u32,
}

/// The multiplier and increment of pcg4d, from the linear congruential generator of Numerical Recipes.
const MULTIPLIER: u32 = 1_664_525;
const INCREMENT: u32 = 1_013_904_223;
/// The shift of pcg4d: half a word.
const SHIFT: u32 = 16;

/// Dropout of X, of X's shape: elements become 0 with probability `rate`, and the others are scaled. `draw` is seed and counter.
pub(crate) fn dropout(
    gpu: &Context,
    x: &Buffer,
    (rows, cols): (usize, usize),
    rate: f32,
    draw: [u64; 2],
) -> Result<Buffer> {
    let out = gpu.buffer(OP, rows, cols)?;
    let launch = ElementLaunch {
        kernel: &KERNEL,
        constants: &LinearGrid::constants(),
        operands: &[Operand::Matrix(x), Operand::Matrix(&out)],
    };
    let draws = Draws::new(rate, draw);
    gpu.launch_elements(gpu.split_flat(rows as u64 * cols as u64), &launch, |block, _| Params {
        draws,
        first: words(block.cols.start as u64),
        count: block.words(),
        spare: 0,
    })?;
    Ok(out)
}

/// The [`dropout`] of some rows of a larger matrix. For each row there is the number of its first element in that matrix.
pub(crate) fn dropout_rows(
    gpu: &Context,
    x: &Buffer,
    (cols, first): (usize, &[u64]),
    rate: f32,
    draw: [u64; 2],
) -> Result<Buffer> {
    let out = gpu.buffer(OF_ROWS, first.len(), cols)?;
    let first_words: Vec<[u32; 2]> = first.iter().map(|number| words(*number)).collect();
    let first_words = gpu.upload(OF_ROWS, &first_words)?;
    let launch = ElementLaunch {
        kernel: &ROWS_KERNEL,
        constants: &LinearGrid::constants(),
        operands: &[Operand::Matrix(x), Operand::PerRow(&first_words, 2), Operand::Matrix(&out)],
    };
    let draws = Draws::new(rate, draw);
    gpu.launch_elements(gpu.split(OF_ROWS, first.len(), cols)?, &launch, |block, _| RowsParams {
        draws,
        cols: block.cols.len() as u32,
        col: block.cols.start as u32,
        count: block.words(),
        spare: 0,
    })?;
    Ok(out)
}

/// The low and the high word of a number.
fn words(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// The key of a seed and a counter: all four words of their hash pcg4d.
fn key(words: [u32; 4]) -> [u32; 4] {
    let round = |[x, y, z, w]: [u32; 4]| {
        let x = x.wrapping_add(y.wrapping_mul(w));
        let y = y.wrapping_add(z.wrapping_mul(x));
        let z = z.wrapping_add(x.wrapping_mul(y));
        [x, y, z, w.wrapping_add(y.wrapping_mul(z))]
    };
    let begun = words.map(|word| word.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT));
    round(round(begun).map(|word| word ^ (word >> SHIFT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_pcg4ds() {
        // These values come from the published formula, computed without this crate.
        assert_eq!(key([0; 4]), [0x0f02_f829, 0x2d56_8769, 0x32b0_c43b, 0xd325_48ea]);
        assert_eq!(key([1, 2, 3, 4]), [0x3622_cd16, 0xf114_71d8, 0xe110_9b3f, 0x02b9_4c2f]);
        assert_eq!(key([u32::MAX, 7, 0, 123_456_789])[0], 0x6a8d_a6fe);
    }
}
