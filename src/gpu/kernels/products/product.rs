//! One product c = a b with its epilogue: cut into windows of rows, columns and steps of k, each launched by itself.

use std::ops::Range;
use std::sync::Arc;

use super::choose::ChosenKernel;
use super::k_slices::KSlices;
use super::kernels::MatmulKernels;
use super::split::ProductSplit;
use super::sum_slices;
use super::tiled;
use super::units;
use super::window::{Factor, Finish, ProductWindow};
use crate::error::Result;
use crate::gpu::kernels::column_sum;
use crate::gpu::kernels::software::{direct, panel, plain};
use crate::gpu::{Buffer, Context, View};
use crate::options::Activation;

/// The epilogue of a product, which is applied to its finished sums.
#[derive(Clone, Copy)]
pub(super) enum Epilogue<'a> {
    Nothing,
    /// Adds the bias, `1 x n`, then applies the activation.
    Bias(&'a Buffer, Activation),
    /// Applies a ReLU's mask: keeps the sums where these outputs of the ReLU, `m x n`, are positive; the others become 0.
    Mask(&'a Buffer),
}

/// A product c = a b, `m x n` over k, then its epilogue.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub(super) kernels: &'static MatmulKernels,
    pub(super) a: &'a Buffer,
    pub(super) b: &'a Buffer,
    pub(super) epilogue: Epilogue<'a>,
    /// Whether a is stored `k x m`.
    pub(super) transpose_a: bool,
    /// Whether b is stored `n x k`.
    pub(super) transpose_b: bool,
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
}

/// The layout of the result: the words from one slice's partial product to the next, and the place of b's column sums behind it.
#[derive(Clone, Copy)]
struct Layout {
    stride: usize,
    sums_at: Option<usize>,
}

impl<'a> Product<'a> {
    /// A product of both operands, none transposed, without an epilogue.
    pub(super) fn of(kernels: &'static MatmulKernels, a: &'a Buffer, b: &'a Buffer, [m, n, k]: [usize; 3]) -> Self {
        Product { kernels, a, b, epilogue: Epilogue::Nothing, transpose_a: false, transpose_b: false, m, n, k }
    }

    /// Records the product and returns the buffer that will hold it.
    pub(super) fn record(&self, gpu: &Context) -> Result<Buffer> {
        let dims = [self.m, self.n, self.k];
        let split = ProductSplit::new(gpu.binding_words(), dims, self.transpose_a, self.transpose_b);
        match ChosenKernel::of(gpu, [split.m, split.n, split.k]) {
            kernel @ (ChosenKernel::Tiled(_) | ChosenKernel::Units(_)) => self.record_tiles(gpu, kernel, split),
            kernel => self.record_for_software(gpu, kernel, split),
        }
    }

    /// Records the product by a kernel that computes tiles. Each window is cut into slices of k, which are added up and get the
    /// epilogue before the next window.
    fn record_tiles(&self, gpu: &Context, kernel: ChosenKernel, split: ProductSplit) -> Result<Buffer> {
        let out = gpu.buffer(self.kernels.name(), self.m, self.n)?;
        for ranges in split.windows([self.m, self.n, self.k]) {
            let [rows, cols, ks] = &ranges;
            let (m, n) = (rows.len(), cols.len());
            let slice = kernel.slice([m, n, ks.len()], gpu.binding_words());
            let slices = ks.len().div_ceil(slice);
            let c = View::of(&out, self.n, rows.clone(), cols.clone());
            let layout = Layout { stride: m * n, sums_at: None };
            let finish = self.finish(&ranges);
            if slices == 1 {
                self.launch(gpu, kernel, self.window(&ranges, slice, c, layout, finish))?;
                continue;
            }
            let partials = gpu.buffer(self.kernels.name(), slices, m * n)?;
            let parts = self.window(&ranges, slice, View::from(&partials), layout, Finish::NONE);
            self.launch(gpu, kernel, parts)?;
            sum_slices::launch(gpu, &self.kernels.sum_slices, &partials, slices, (c, n), &finish)?;
        }
        Ok(out)
    }

    /// Records the product by a kernel for software drivers. If there is no epilogue and c fits a binding, k is cut into slices,
    /// whose partial products are added along a fixed tree.
    fn record_for_software(&self, gpu: &Context, kernel: ChosenKernel, split: ProductSplit) -> Result<Buffer> {
        let (op, m, n) = (self.kernels.name(), self.m, self.n);
        // An epilogue needs the finished sums, and slices need a binding that holds the whole product.
        let bare = matches!(self.epilogue, Epilogue::Nothing) && split.m == m && split.n == n;
        let slice = if bare { kernel.slice([m, n, split.k], gpu.binding_words()) } else { split.k };
        let slices = split.k.div_ceil(slice);
        let out = gpu.buffer(op, slices * m, n)?;
        for ranges in split.windows([m, n, self.k]) {
            let [rows, cols, _] = &ranges;
            let c = if slices > 1 { View::from(&out) } else { View::of(&out, n, rows.clone(), cols.clone()) };
            let layout = Layout { stride: rows.len() * cols.len(), sums_at: None };
            let finish = self.finish(&ranges);
            self.launch(gpu, kernel, self.window(&ranges, slice, c, layout, finish))?;
        }
        if slices == 1 { Ok(out) } else { column_sum::reduce(gpu, op, out, slices, m * n) }
    }

    /// Records the product's slices as partial products, `stride` words apart, with the partial column sums of b behind
    /// each: as many as [`KSlices::sums`] says.
    pub(crate) fn record_slices(
        &self,
        gpu: &Context,
        slices: &KSlices,
        out: &Arc<Buffer>,
        stride: usize,
        sums_at: usize,
    ) -> Result<()> {
        let whole = [0..self.m, 0..self.n, 0..self.k];
        let layout = Layout { stride, sums_at: Some(sums_at) };
        let window = self.window(&whole, slices.length, View::from(out.as_ref()), layout, Finish::NONE);
        self.launch(gpu, slices.kernel, window)?;
        if !slices.kernel.sums_columns() {
            let sums = Buffer::part(out, sums_at as u64, self.n as u64);
            column_sum::reduce_into(gpu, self.kernels.name(), self.b, self.k, self.n, &sums)?;
        }
        Ok(())
    }

    /// The finish of a window's sums: the epilogue follows the last steps of k, and later windows add to earlier ones.
    fn finish(&self, [rows, cols, ks]: &[Range<usize>; 3]) -> Finish<'a> {
        let none = Finish { accumulate: ks.start > 0, ..Finish::NONE };
        match self.epilogue {
            Epilogue::Bias(bias, activation) if ks.end == self.k => Finish {
                extra: Some(View::of(bias, self.n, 0..1, cols.clone())),
                biased: true,
                relu: activation == Activation::Relu,
                ..none
            },
            Epilogue::Mask(outputs) if ks.end == self.k => {
                Finish { extra: Some(View::of(outputs, self.n, rows.clone(), cols.clone())), masked: true, ..none }
            }
            _ => none,
        }
    }

    /// The window of these rows and columns of c, over these steps of k.
    fn window<'w>(
        &'w self,
        [rows, cols, ks]: &[Range<usize>; 3],
        slice: usize,
        c: View<'w>,
        layout: Layout,
        finish: Finish<'w>,
    ) -> ProductWindow<'w> {
        let factor = |buffer, lines: &Range<usize>, along, all_lines| {
            let view = match along {
                true => View::of(buffer, self.k, lines.clone(), ks.clone()),
                false => View::of(buffer, all_lines, ks.clone(), lines.clone()),
            };
            Factor { view, lines: lines.len(), steps: ks.len(), along }
        };
        let a = factor(self.a, rows, !self.transpose_a, self.m);
        let b = factor(self.b, cols, self.transpose_b, self.n);
        let Layout { stride, sums_at } = layout;
        ProductWindow { a, b, c, slice, stride, sums_at, finish }
    }

    /// Launches the kernel on a window.
    fn launch(&self, gpu: &Context, kernel: ChosenKernel, window: ProductWindow<'_>) -> Result<()> {
        let kernels = self.kernels;
        match kernel {
            ChosenKernel::Tiled(tile) => tiled::launch(gpu, &kernels.tiled, tile, &window),
            ChosenKernel::Units(tile) => units::launch(gpu, &kernels.units, tile, &window),
            ChosenKernel::Plain => plain::launch(gpu, &kernels.plain, &window),
            ChosenKernel::Panel(panel) => panel::launch(gpu, &kernels.panel, &kernels.pack, panel, &window),
            ChosenKernel::Direct(direct) => direct::launch(gpu, &kernels.direct, &kernels.pack, direct, &window),
        }
    }
}
