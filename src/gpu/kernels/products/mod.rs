//! Products on the device: c = a b with an epilogue (bias, ReLU, or a ReLU's mask). A product is cut into windows that fit
//! bindings (`split.rs`), and `choose.rs` chooses one kernel for all of them, by their size.

mod choose;
pub(in crate::gpu) mod halves;
mod k_slices;
mod kernels;
pub(in crate::gpu) mod largest;
mod layouts;
mod product;
mod split;
mod sum_slices;
mod tiled;
mod units;
pub(super) mod window;

pub(crate) use choose::ChosenKernel;
pub(crate) use k_slices::KSlices;
#[cfg(test)]
pub(crate) use kernels::all;
pub(crate) use layouts::{gradient, linear, linear_backward, matmul, matmul_nt, matmul_tn};
