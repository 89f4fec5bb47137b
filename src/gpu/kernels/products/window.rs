//! The window of a product, which is passed to every kernel for products: both factors, the result, and the epilogue.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{Access, Context, Form, View};

/// The storage buffers of kernels for products: both factors, the bias or the mask, and the result.
pub(crate) const OPERANDS: &[Access] = &[Access::Read, Access::Read, Access::Read, Access::Write];

/// A factor of a product. It has lines, which are the rows of a or the columns of b, and steps of k.
pub(crate) struct Factor<'a> {
    pub view: View<'a>,
    pub lines: usize,
    pub steps: usize,
    /// Whether lines lie along memory (`lines x steps`, row-major); otherwise steps do (`steps x lines`).
    pub along: bool,
}

impl<'a> Factor<'a> {
    /// Whether the rows of memory are multiples of four words.
    pub fn has_vectors(&self) -> bool {
        if self.along { self.steps } else { self.lines }.is_multiple_of(4)
    }

    /// Words from one line to the next, and from one step to the next.
    pub fn strides(&self) -> [u32; 2] {
        if self.along { [self.steps as u32, 1] } else { [1, self.lines as u32] }
    }

    /// The factor with lines and steps exchanged.
    pub fn turned(&self) -> Factor<'a> {
        Factor { view: self.view.clone(), lines: self.steps, steps: self.lines, along: !self.along }
    }
}

/// The finish of a window's sums, which `shaders/products/store.wgsl` applies.
pub(crate) struct Finish<'a> {
    /// The bias or the ReLU's outputs, where one of them is used.
    pub extra: Option<View<'a>>,
    pub biased: bool,
    pub relu: bool,
    pub masked: bool,
    /// Whether the sums are added to the content of the result.
    pub accumulate: bool,
}

impl Finish<'_> {
    /// The finish that stores the sums as they are.
    pub const NONE: Finish<'static> =
        Finish { extra: None, biased: false, relu: false, masked: false, accumulate: false };

    /// The flags as shaders take them: biased, relu, masked, accumulate.
    pub fn flags(&self) -> [u32; 4] {
        [self.biased, self.relu, self.masked, self.accumulate].map(u32::from)
    }
}

/// A window of a product: some rows and columns of c over some steps of k, which are cut into slices.
pub(crate) struct ProductWindow<'a> {
    pub a: Factor<'a>,
    pub b: Factor<'a>,
    pub c: View<'a>,
    /// Length of a slice of k.
    pub slice: usize,
    /// Words from one slice's partial product to the next.
    pub stride: usize,
    /// The place of b's column sums behind each partial product.
    pub sums_at: Option<usize>,
    pub finish: Finish<'a>,
}

/// The parameters with which those of every kernel for products begin: `shaders/products/fields.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct ProductParams {
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub slice: u32,
    pub down: u32,
    pub across: u32,
    pub slices: u32,
    pub stride: u32,
    pub sums_at: u32,
    pub biased: u32,
    pub relu: u32,
    pub masked: u32,
    pub accumulate: u32,
}

impl<'a> ProductWindow<'a> {
    /// Rows, columns and steps.
    pub fn dims(&self) -> [usize; 3] {
        [self.a.lines, self.b.lines, self.a.steps]
    }

    /// Slices of k.
    pub fn slices(&self) -> usize {
        self.a.steps.div_ceil(self.slice)
    }

    /// The parameters for a grid of so many workgroups down and across, and the number of workgroups for all slices.
    pub fn params(&self, (down, across): (u64, u64)) -> (ProductParams, u64) {
        let [m, n, k] = self.dims().map(|length| length as u32);
        let [biased, relu, masked, accumulate] = self.finish.flags();
        let params = ProductParams {
            m,
            n,
            k,
            slice: self.slice as u32,
            down: down as u32,
            across: across as u32,
            slices: self.slices() as u32,
            stride: self.stride as u32,
            sums_at: self.sums_at.map_or(0, |at| at as u32),
            biased,
            relu,
            masked,
            accumulate,
        };
        (params, down * across * self.slices() as u64)
    }

    /// The form that stores the sums: by fours where every row of c, and of each slice, begins at a multiple of four words.
    pub fn form(&self, gpu: &Context) -> Form {
        let fours = self.b.lines.is_multiple_of(4) && self.stride.is_multiple_of(4);
        if fours { gpu.fours() } else { Form::PLAIN }
    }

    /// The bias or the ReLU's outputs; if neither is used, a buffer that stands in for them.
    pub fn extra_or(&self, other: &View<'a>) -> View<'a> {
        self.finish.extra.clone().unwrap_or_else(|| other.clone())
    }
}
