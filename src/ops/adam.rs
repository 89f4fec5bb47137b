//! adam: gradient descent with moments, in place.

use bytemuck::{Pod, Zeroable};

use super::gradients::{Gradients, SEGMENT_PIECE, SEGMENTS, Segment};
use super::sgd::constants;
use super::{COMMON, ELEMENTS, ELEMENTWISE, On, VALUES, on, same_shape};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{Access, BY_ONE, ElementLaunch, Form, Kernel, Launch, LinearGrid, Operand, View};
use crate::matrix::{Joined, Matrix, Unique};

pub(super) static KERNEL: Kernel = Kernel {
    name: "adam",
    source: &[COMMON, BY_ONE, VALUES, ELEMENTS, SEGMENT_PIECE, include_str!("../../shaders/adam.wgsl")],
    params: size_of::<Params>(),
    buffers: &[Access::Write, Access::Read, Access::Write, Access::Write],
    overrides: ELEMENTWISE,
    sizes: &["SEGMENTS"],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    segments: [Segment; SEGMENTS],
    count: u32,
    learning_rate: f32,
    beta1: f32,
    beta2: f32,
    rest1: f32,
    rest2: f32,
    unbias1: f32,
    unbias2: f32,
    epsilon: f32,
}

/// Adam's constants; the default is that of the paper and of PyTorch.
///
/// ```
/// use wgpu_mlp::ops::AdamOptions;
/// let options = AdamOptions { learning_rate: 0.01, ..Default::default() };
/// assert_eq!((options.beta1, options.beta2, options.epsilon), (0.9, 0.999, 1e-8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamOptions {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the mean of the gradients, from 0 up to but not including 1.
    pub beta1: f64,
    /// Decay of the mean of their squares, from 0 up to but not including 1.
    pub beta2: f64,
    /// Added to the root, so that nothing is divided by zero.
    pub epsilon: f64,
}

impl Default for AdamOptions {
    fn default() -> Self {
        AdamOptions { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// One step of Adam (Kingma and Ba, [2015](https://arxiv.org/abs/1412.6980), algorithm 1), in place:
/// m = β₁ m + (1 - β₁) dw, v = β₂ v + (1 - β₂) dw², w -= η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ).
///
/// `m` and `v` begin as zeros of w's shape; `step` is t, counted from 1. Error of m: at most
/// 4u (|β₁ m| + |(1 - β₁) dw|), of v: 6u v, and of the update: 16u of itself and what m's error makes of it, u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`] unless all have one shape; [`Error::Option`] for a constant outside its range or step 0.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let mut w = Matrix::from_slice(&device, 1, 1, &[1.0])?;
/// let dw = Matrix::from_slice(&device, 1, 1, &[3.0])?;
/// let (mut m, mut v) = (Matrix::zeros(&device, 1, 1)?, Matrix::zeros(&device, 1, 1)?);
/// ops::adam(&mut w, &dw, &mut m, &mut v, &Default::default(), 1)?;
/// assert!((w.to_array()?[[0, 0]] - 0.999).abs() < 1e-6); // the first step has the length of the learning rate
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn adam(
    w: &mut Matrix,
    dw: &Matrix,
    m: &mut Matrix,
    v: &mut Matrix,
    options: &AdamOptions,
    step: u64,
) -> Result<()> {
    for other in [dw, m, v] {
        same_shape("adam", w, other)?;
    }
    check(options, step)?;
    on("adam", [w, dw, m, v])?;
    let elements = w.elements();
    match (w.unique("adam")?, on("adam", [dw])?, m.unique("adam")?, v.unique("adam")?) {
        (Unique::Cpu(w), On::Cpu([dw]), Unique::Cpu(m), Unique::Cpu(v)) => {
            cpu::adam(cpu::Moments { w: w.view_mut(), m: m.view_mut(), v: v.view_mut() }, dw, options, step);
        }
        (Unique::Gpu(gpu, w), On::Gpu(_, [dw]), Unique::Gpu(_, m), Unique::Gpu(_, v)) => gpu.launch_elements(
            gpu.split_flat(elements),
            &ElementLaunch { kernel: &KERNEL, constants: &constants(), operands: &[w, dw, m, v].map(Operand::Matrix) },
            |block, width| params(block.words() / width, options, step, Segment::alike()),
        )?,
        // Refused by the check above.
        _ => {}
    }
    Ok(())
}

/// [`adam`] of all parameters of a model at once, with moments as long as they and their padding are; false where the
/// gradients lie apart.
pub(crate) fn adam_joined(
    w: &Joined<'_>,
    gradients: &Gradients,
    m: &mut Matrix,
    v: &mut Matrix,
    options: &AdamOptions,
    step: u64,
) -> Result<bool> {
    check(options, step)?;
    let Some((dw, segments)) = gradients.segments() else { return Ok(false) };
    let (Unique::Gpu(gpu, m), Unique::Gpu(_, v)) = (m.unique("adam")?, v.unique("adam")?) else { return Ok(false) };
    for (first, end, segments) in Segment::runs(&segments) {
        let moments = |moments| View::of(moments, end as usize, 0..1, first as usize..end as usize);
        let launch = Launch {
            kernel: &KERNEL,
            constants: &constants(),
            params: params((end - first) / 4, options, step, segments),
            buffers: &[w.words(first, end), View::from(dw), moments(m), moments(v)],
            groups: LinearGrid::groups(((end - first) / 4).into()),
        };
        gpu.dispatch(launch, Form::Fours, None)?;
    }
    Ok(true)
}

fn params(count: u32, options: &AdamOptions, step: u64, segments: [Segment; SEGMENTS]) -> Params {
    // In f64: 1 - β loses digits in f32.
    let unbias = |beta: f64| (1.0 / (1.0 - beta.powf(step as f64))) as f32;
    Params {
        segments,
        count,
        learning_rate: options.learning_rate as f32,
        beta1: options.beta1 as f32,
        beta2: options.beta2 as f32,
        rest1: (1.0 - options.beta1) as f32,
        rest2: (1.0 - options.beta2) as f32,
        unbias1: unbias(options.beta1),
        unbias2: unbias(options.beta2),
        epsilon: options.epsilon as f32,
    }
}

fn check(options: &AdamOptions, step: u64) -> Result<()> {
    let fail = |option, rule, value| Err(Error::Option { op: "adam", option, rule, value });
    // As the kernel takes them: 1e39 is finite and 1e-300 positive in f64 alone.
    if !(options.learning_rate >= 0.0 && (options.learning_rate as f32).is_finite()) {
        return fail("learning_rate", "at least 0 and finite", options.learning_rate);
    }
    for (name, beta) in [("beta1", options.beta1), ("beta2", options.beta2)] {
        if !(0.0..1.0).contains(&beta) {
            return fail(name, "from 0 up to but not including 1", beta);
        }
    }
    if !(options.epsilon > 0.0 && (options.epsilon as f32).is_normal()) {
        return fail("epsilon", "positive and finite", options.epsilon);
    }
    if step == 0 {
        return fail("step", "at least 1", 0.0);
    }
    Ok(())
}
