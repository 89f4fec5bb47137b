//! The sum of the slices of k of a product in tiles: `shaders/products/sum_slices.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::window::Finish;
use crate::error::Result;
use crate::gpu::kernels::ELEMENTWISE;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, LinearGrid, View};

/// The kernel's parameters, counted in values: words, or fours of them.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct SumParams {
    count: u32,
    n: u32,
    slices: u32,
    stride: u32,
    biased: u32,
    relu: u32,
    masked: u32,
    accumulate: u32,
}

/// The kernel, under this op's name.
pub(super) const fn kernel(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "products/sum_slices.wgsl",
        forms: Form::BY_FOUR,
        params: size_of::<SumParams>(),
        buffers: &[Access::Read, Access::Read, Access::Write],
        overrides: ELEMENTWISE,
        sizes: &[],
    }
}

/// Records the sum of so many partial products, then the epilogue, into c of `n` columns.
pub(super) fn launch(
    gpu: &Context,
    kernel: &'static Kernel,
    partials: &Buffer,
    slices: usize,
    (c, n): (View<'_>, usize),
    finish: &Finish<'_>,
) -> Result<()> {
    let (form, width) = if n.is_multiple_of(4) { (gpu.fours(), 4) } else { (Form::PLAIN, 1) };
    let [biased, relu, masked, accumulate] = finish.flags();
    let count = (c.words() / width as u64) as u32;
    let partials = View::from(partials);
    let launch = Launch {
        kernel,
        constants: &LinearGrid::constants(),
        params: SumParams {
            count,
            n: (n / width) as u32,
            slices: slices as u32,
            stride: count,
            biased,
            relu,
            masked,
            accumulate,
        },
        buffers: &[partials.clone(), finish.extra.clone().unwrap_or(partials), c],
        groups: LinearGrid::groups(count.into()),
    };
    gpu.dispatch(launch, form)
}
