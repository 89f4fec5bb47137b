//! The slices of k for the product of a layer's gradient. The partial products of all layers lie in one buffer.

use super::choose::ChosenKernel;
use super::split::ProductSplit;
use crate::gpu::Context;

/// The slices of k of a gradient's product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KSlices {
    pub(super) kernel: ChosenKernel,
    /// The number of steps of a slice.
    pub(super) length: usize,
    /// The number of partial products.
    pub slices: usize,
}

impl KSlices {
    /// The slices of `XᵀdY`, for X `rows x inputs` and dY `rows x outputs`; none if a binding does not hold an operand.
    pub fn of_gradient(gpu: &Context, rows: usize, inputs: usize, outputs: usize) -> Option<Self> {
        let (words, dims) = (gpu.binding_words(), [inputs, outputs, rows]);
        if !ProductSplit::new(words, dims, true, false).is_whole(dims) {
            return None;
        }
        let kernel = ChosenKernel::of(gpu, dims);
        let length = kernel.slice(dims, words);
        Some(KSlices { kernel, length, slices: rows.div_ceil(length) })
    }

    /// Whether both this product and the gradient of the inputs use the plain kernel, with each operand in one piece.
    pub fn is_plain_both_ways(&self, gpu: &Context, rows: usize, inputs: usize, outputs: usize) -> bool {
        let back = [rows, inputs, outputs];
        self.kernel == ChosenKernel::Plain
            && ProductSplit::new(gpu.binding_words(), back, false, true).is_whole(back)
            && ChosenKernel::of(gpu, back) == ChosenKernel::Plain
    }

    /// A single slice of all `k` steps by the same kernel.
    pub fn uncut(self, k: usize) -> Self {
        KSlices { length: k, slices: 1, ..self }
    }

    /// The number of partial column sums. It is one if the kernel does not compute them together with the product.
    pub fn sums(&self) -> usize {
        if self.kernel.sums_columns() { self.slices } else { 1 }
    }
}
