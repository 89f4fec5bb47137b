//! The products that ops need: which operand is transposed, and which epilogue follows.

use super::kernels::{LINEAR, LINEAR_BACKWARD, MATMUL, MATMUL_NT, MATMUL_TN};
use super::product::{Epilogue, Product};
use crate::error::Result;
use crate::gpu::{Buffer, Context};
use crate::options::Activation;

/// Records A B, for A `m x k` and B `k x n`.
pub(crate) fn matmul(gpu: &Context, a: &Buffer, b: &Buffer, dims: [usize; 3]) -> Result<Buffer> {
    Product::of(&MATMUL, a, b, dims).record(gpu)
}

/// Records Aᵀ B, for A `k x m` and B `k x n`.
pub(crate) fn matmul_tn(gpu: &Context, a: &Buffer, b: &Buffer, dims: [usize; 3]) -> Result<Buffer> {
    Product { transpose_a: true, ..Product::of(&MATMUL_TN, a, b, dims) }.record(gpu)
}

/// Records A Bᵀ, for A `m x k` and B `n x k`.
pub(crate) fn matmul_nt(gpu: &Context, a: &Buffer, b: &Buffer, dims: [usize; 3]) -> Result<Buffer> {
    Product { transpose_b: true, ..Product::of(&MATMUL_NT, a, b, dims) }.record(gpu)
}

/// Records act(X W + b), for X `m x k`, W `k x n` and the bias b, `1 x n`.
pub(crate) fn linear(
    gpu: &Context,
    [x, weights, bias]: [&Buffer; 3],
    activation: Activation,
    dims: [usize; 3],
) -> Result<Buffer> {
    Product { epilogue: Epilogue::Bias(bias, activation), ..Product::of(&LINEAR, x, weights, dims) }.record(gpu)
}

/// Records dY Wᵀ with the ReLU's mask: it becomes 0 where X is not positive. dY is `m x k`, W `n x k` and X `m x n`.
pub(crate) fn linear_backward(gpu: &Context, [dy, weights, x]: [&Buffer; 3], dims: [usize; 3]) -> Result<Buffer> {
    let product = Product { epilogue: Epilogue::Mask(x), ..Product::of(&LINEAR_BACKWARD, dy, weights, dims) };
    Product { transpose_b: true, ..product }.record(gpu)
}

/// The weights' gradient Xᵀ dY, for X `rows x inputs` and dY `rows x outputs`.
pub(crate) fn gradient<'a>(x: &'a Buffer, dy: &'a Buffer, [rows, inputs, outputs]: [usize; 3]) -> Product<'a> {
    Product { transpose_a: true, ..Product::of(&MATMUL_TN, x, dy, [inputs, outputs, rows]) }
}
