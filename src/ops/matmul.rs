//! matmul, matmul_tn, matmul_nt: the three layouts of a product, on one kernel.

use bytemuck::{Pod, Zeroable};

use super::{COMMON, On, column_sum, fits, flag, on, word};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Kernel, Launch, Tile};
use crate::matrix::{Matrix, host_room};

/// What `shaders/matmul.wgsl` takes; one kernel an op, so that errors and labels carry the op's name.
pub(super) const fn family(name: &'static str) -> Kernel {
    Kernel {
        name,
        source: &[COMMON, include_str!("../../shaders/matmul.wgsl")],
        params: size_of::<Params>(),
        buffers: &[Access::Read, Access::Read, Access::Read, Access::Write],
        overrides: &["TRANSPOSE_A", "TRANSPOSE_B"],
        sizes: &["BM", "BN", "BK", "TM", "TN"],
    }
}

static MATMUL: Kernel = family("matmul");
static MATMUL_TN: Kernel = family("matmul_tn");
static MATMUL_NT: Kernel = family("matmul_nt");
#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 3] = [&MATMUL, &MATMUL_TN, &MATMUL_NT];

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    m: u32,
    n: u32,
    k: u32,
    slice: u32,
    down: u32,
    across: u32,
    slices: u32,
    biased: u32,
    relu: u32,
}

/// A B, for A `m x k` and B `k x n`: the forward pass of a dense layer.
///
/// Error against exact arithmetic, element by element: at most (k + 2) u (|A||B|), typically below 6 √k u (|A||B|),
/// u = 2⁻²³. Products of small integers are exact.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless A has as many columns as B rows.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let a = Matrix::from_array(&device, array![[1., 2., 3.], [4., 5., 6.]].view())?;
/// let b = Matrix::from_array(&device, array![[1.], [0.], [-1.]].view())?;
/// assert_eq!(ops::matmul(&a, &b)?.to_array()?, array![[-2.], [-2.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn matmul(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    fits("matmul", "left columns must equal right rows", a, b, a.cols() == b.rows())?;
    match on("matmul", [a, b])? {
        On::Cpu([x, y]) => {
            host_room("matmul", a.rows(), b.cols())?;
            Ok(Matrix::on_cpu(a.device(), cpu::matmul(x, y)))
        }
        On::Gpu(gpu, [x, y]) => {
            let product = Product { m: a.rows(), n: b.cols(), k: a.cols(), ..Product::of(&MATMUL, x, y) };
            Ok(Matrix::on_gpu(a.device(), a.rows(), b.cols(), product.record(gpu)?))
        }
    }
}

/// Aᵀ B, for A `k x m` and B `k x n`: the weights' gradient, dW = Xᵀ dY.
///
/// Error as [`matmul`]. On a GPU a long k is cut into slices whose partial products are added along a fixed tree.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless A and B have as many rows.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.], [3., 4.]].view())?;
/// let dy = Matrix::from_array(&device, array![[1.], [10.]].view())?;
/// assert_eq!(ops::matmul_tn(&x, &dy)?.to_array()?, array![[31.], [42.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn matmul_tn(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    fits("matmul_tn", "left rows must equal right rows", a, b, a.rows() == b.rows())?;
    match on("matmul_tn", [a, b])? {
        On::Cpu([x, y]) => {
            host_room("matmul_tn", a.cols(), b.cols())?;
            Ok(Matrix::on_cpu(a.device(), cpu::matmul_tn(x, y)))
        }
        On::Gpu(gpu, [x, y]) => {
            let layout = Product { transpose_a: true, ..Product::of(&MATMUL_TN, x, y) };
            let product = Product { m: a.cols(), n: b.cols(), k: a.rows(), ..layout };
            Ok(Matrix::on_gpu(a.device(), a.cols(), b.cols(), product.record(gpu)?))
        }
    }
}

/// A Bᵀ, for A `m x k` and B `n x k`: the inputs' gradient, dX = dY Wᵀ.
///
/// Error as [`matmul`].
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless A and B have as many columns.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let dy = Matrix::from_array(&device, array![[1., 10.]].view())?;
/// let w = Matrix::from_array(&device, array![[1., 2.], [3., 4.], [5., 6.]].view())?;
/// assert_eq!(ops::matmul_nt(&dy, &w)?.to_array()?, array![[21., 43., 65.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn matmul_nt(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    fits("matmul_nt", "left columns must equal right columns", a, b, a.cols() == b.cols())?;
    match on("matmul_nt", [a, b])? {
        On::Cpu([x, y]) => {
            host_room("matmul_nt", a.rows(), b.rows())?;
            Ok(Matrix::on_cpu(a.device(), cpu::matmul_nt(x, y)))
        }
        On::Gpu(gpu, [x, y]) => {
            let layout = Product { transpose_b: true, ..Product::of(&MATMUL_NT, x, y) };
            let product = Product { m: a.rows(), n: b.rows(), k: a.cols(), ..layout };
            Ok(Matrix::on_gpu(a.device(), a.rows(), b.rows(), product.record(gpu)?))
        }
    }
}

/// One product as the kernel computes it: c = a b, `m x n`, then bias and ReLU where asked for.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub kernel: &'static Kernel,
    pub a: &'a Buffer,
    pub b: &'a Buffer,
    pub bias: Option<&'a Buffer>,
    pub relu: bool,
    pub transpose_a: bool,
    pub transpose_b: bool,
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl<'a> Product<'a> {
    /// Both operands as they lie, nothing added; the dimensions are still to be filled in.
    pub fn of(kernel: &'static Kernel, a: &'a Buffer, b: &'a Buffer) -> Self {
        let (transpose_a, transpose_b) = (false, false);
        Product { kernel, a, b, bias: None, relu: false, transpose_a, transpose_b, m: 0, n: 0, k: 0 }
    }

    /// Records the product and gives the buffer that will hold it.
    pub fn record(&self, gpu: &Context) -> Result<Buffer> {
        let op = self.kernel.name;
        let tile = Tile::choose(self.m, self.n);
        // Bias and ReLU want the finished sums, so only a bare product is cut along k.
        let whole = self.bias.is_some() || self.relu;
        let slice = if whole { self.k } else { tile.slice(self.m, self.n, self.k) };
        let slices = self.k.div_ceil(slice);
        let out = gpu.buffer(op, slices * self.m, self.n)?;
        let (down, across) = tile.grid(self.m, self.n);
        gpu.launch(Launch {
            kernel: self.kernel,
            constants: &self.constants(tile),
            params: Params {
                m: word(self.m),
                n: word(self.n),
                k: word(self.k),
                slice: word(slice),
                down: down as u32,
                across: across as u32,
                slices: word(slices),
                biased: u32::from(self.bias.is_some()),
                relu: u32::from(self.relu),
            },
            buffers: &[self.a, self.b, self.bias.unwrap_or(self.a), &out],
            groups: down * across * slices as u64,
        })?;
        if slices == 1 { Ok(out) } else { column_sum::reduce(gpu, op, out, slices, self.m * self.n) }
    }

    fn constants(&self, tile: Tile) -> Vec<(&'static str, f64)> {
        let mut constants = vec![("TRANSPOSE_A", flag(self.transpose_a)), ("TRANSPOSE_B", flag(self.transpose_b))];
        constants.extend(tile.constants());
        constants
    }
}
