//! The kernels of the ops. Each op has a file of its name, with its kernels' declarations, their parameters, intermediate buffers
//! and launches.
//!
//! A file here takes buffers and shapes, and returns buffers. The op of that name in `ops/` has the documentation and the checks,
//! and passes the buffers of its matrices and targets.

mod accuracy;
mod argmax;
mod bias_add;
mod clip_scale;
pub(crate) mod column_sum;
mod constants;
mod dropout;
mod linear_cross_entropy;
mod loss_parameters;
mod nll;
pub(crate) mod products;
mod relu;
mod softmax;
mod softmax_cross_entropy;
pub(crate) mod software;
mod statistics;
mod target_buffer;
pub(crate) mod update;

pub(crate) use accuracy::hits;
pub(crate) use argmax::argmax;
pub(crate) use bias_add::bias_add;
pub(crate) use clip_scale::clip_scale;
pub(crate) use column_sum::column_sum;
pub(crate) use constants::ELEMENTWISE;
pub(crate) use dropout::{dropout, dropout_rows};
pub(crate) use linear_cross_entropy::LinearCrossEntropy;
pub(crate) use loss_parameters::LossInputs;
pub(crate) use nll::{nll, nll_backward};
pub(crate) use relu::{relu, relu_backward, relu_mask};
pub(crate) use softmax::{log_softmax, softmax, softmax_backward};
pub(crate) use softmax_cross_entropy::{LossBuffers, softmax_cross_entropy};
pub(crate) use statistics::{Record, joined};
pub(crate) use target_buffer::TargetBuffer;

/// The kernels of this folder.
#[cfg(test)]
pub(crate) fn all() -> Vec<&'static super::Kernel> {
    let single = [
        &accuracy::KERNEL,
        &argmax::KERNEL,
        &bias_add::KERNEL,
        &column_sum::KERNEL,
        &loss_parameters::ROW_WEIGHTS,
        &software::dense_backward::KERNEL,
        &softmax_cross_entropy::KERNEL,
        &statistics::KERNEL,
    ];
    let several = [
        &clip_scale::KERNELS[..],
        &dropout::KERNELS,
        &linear_cross_entropy::KERNELS,
        &nll::KERNELS,
        &relu::KERNELS,
        &softmax::KERNELS,
        &update::KERNELS,
    ];
    single.into_iter().chain(several.concat()).chain(products::all()).collect()
}
