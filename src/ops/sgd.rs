//! sgd: plain gradient descent, in place.

use bytemuck::{Pod, Zeroable};

use super::gradients::{Gradients, SEGMENT_PIECE, SEGMENTS, Segment};
use super::{COMMON, ELEMENTS, ELEMENTWISE, On, VALUES, on, same_shape};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{Access, BY_ONE, Constant, ElementLaunch, Form, Kernel, Launch, LinearGrid, Operand, View};
use crate::matrix::{Joined, Matrix, Unique};

pub(super) static KERNEL: Kernel = Kernel {
    name: "sgd",
    source: &[COMMON, BY_ONE, VALUES, ELEMENTS, SEGMENT_PIECE, include_str!("../../shaders/sgd.wgsl")],
    params: size_of::<Params>(),
    buffers: &[Access::Write, Access::Read],
    overrides: ELEMENTWISE,
    sizes: &["SEGMENTS"],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    segments: [Segment; SEGMENTS],
    count: u32,
    learning_rate: f32,
}

/// w -= learning_rate · dw, in place. Error: at most u (|w| + 2 |learning_rate · dw|), u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`] unless both have one shape; [`Error::Option`] unless the learning rate is at least 0 and finite.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let mut w = Matrix::from_slice(&device, 1, 2, &[1.0, 2.0])?;
/// let dw = Matrix::from_slice(&device, 1, 2, &[2.0, -2.0])?;
/// ops::sgd(&mut w, &dw, 0.5)?;
/// assert_eq!(w.to_array()?.row(0).to_vec(), [0.0, 3.0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn sgd(w: &mut Matrix, dw: &Matrix, learning_rate: f64) -> Result<()> {
    same_shape("sgd", w, dw)?;
    check(learning_rate)?;
    on("sgd", [w, dw])?;
    let elements = w.elements();
    match (w.unique("sgd")?, on("sgd", [dw])?) {
        (Unique::Cpu(w), On::Cpu([dw])) => cpu::sgd(w.view_mut(), dw, learning_rate as f32),
        (Unique::Gpu(gpu, w), On::Gpu(_, [dw])) => gpu.launch_elements(
            gpu.split_flat(elements),
            &ElementLaunch { kernel: &KERNEL, constants: &constants(), operands: &[w, dw].map(Operand::Matrix) },
            |block, width| params(block.words() / width, learning_rate, Segment::alike()),
        )?,
        // Refused by the check above.
        _ => {}
    }
    Ok(())
}

/// [`sgd`] of all parameters of a model at once; false where the gradients lie apart.
pub(crate) fn sgd_joined(w: &Joined<'_>, gradients: &Gradients, learning_rate: f64) -> Result<bool> {
    check(learning_rate)?;
    let Some((dw, segments)) = gradients.segments() else { return Ok(false) };
    for (first, end, segments) in Segment::runs(&segments) {
        let launch = Launch {
            kernel: &KERNEL,
            constants: &constants(),
            params: params((end - first) / 4, learning_rate, segments),
            buffers: &[w.words(first, end), View::from(dw)],
            groups: LinearGrid::groups(((end - first) / 4).into()),
        };
        w.context().dispatch(launch, Form::Fours, None)?;
    }
    Ok(true)
}

fn params(count: u32, learning_rate: f64, segments: [Segment; SEGMENTS]) -> Params {
    Params { segments, count, learning_rate: learning_rate as f32 }
}

/// The elementwise constants, and the room for segments.
pub(super) fn constants() -> [Constant; 3] {
    let [threads, per_thread] = LinearGrid::constants();
    [threads, per_thread, ("SEGMENTS", SEGMENTS as f64)]
}

fn check(learning_rate: f64) -> Result<()> {
    // As the kernel takes it: 1e39 is finite in f64 alone.
    if !(learning_rate >= 0.0 && (learning_rate as f32).is_finite()) {
        let rule = "at least 0 and finite";
        return Err(Error::Option { op: "sgd", option: "learning_rate", rule, value: learning_rate });
    }
    Ok(())
}
