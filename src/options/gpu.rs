//! Options for opening a GPU device.

use std::path::PathBuf;

#[cfg(doc)]
use crate::error::Error;

/// Options for opening a GPU device. The default is for normal use.
///
/// ```
/// use wgpu_mlp::{Device, GpuOptions};
/// let options = GpuOptions { runtime_checks: true, ..Default::default() };
/// let device = Device::gpu_with(&options).unwrap_or_else(|_| Device::cpu());
/// # let _ = device;
/// ```
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct GpuOptions {
    /// A part of the name of the adapter to open; upper and lower case are equal. It overrides `WGPU_ADAPTER_NAME`.
    pub adapter_name: Option<String>,
    /// The index of the adapter among those of the best kind and backend, modulo their number. This is for programs that use
    /// several GPUs. The default is the first adapter.
    pub adapter_index: Option<usize>,
    /// Whether to compile the shaders with bounds checks and loop limits. The results are the same.
    pub runtime_checks: bool,
    /// Whether to ask the driver stack for API validation (Vulkan's validation layer, for example), if it is installed.
    pub validation: bool,
    /// The maximal number of bytes of device memory. A buffer beyond it is [`Error::OutOfMemory`].
    pub max_memory_bytes: Option<u64>,
    /// The folder for the results of [`Device::tune`](crate::Device::tune) on this adapter and driver. They are read when the
    /// device is opened, and written by the tuning. Without a folder, kernels are chosen by shape alone, and equal devices and
    /// drivers give equal bits.
    pub tuning: Option<PathBuf>,
    /// Whether products use matrix units. This must be turned on, because wgpu calls them experimental.
    pub matrix_units: MatrixUnits,
    /// Options for tests and measurements. Programs do not need them.
    #[doc(hidden)]
    pub debug: DebugOptions,
}

/// Options for tests and measurements: they lower limits, force kernels and guard buffers.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct DebugOptions {
    /// Whether to fill every buffer with NaN before use, and check the bytes after its end afterwards. This finds a kernel that
    /// writes too little or too much. It is slow.
    pub guarded_buffers: bool,
    /// Lowers the largest binding to this many bytes, at least 256. Kernels work on larger matrices in blocks.
    pub max_binding_bytes: Option<u64>,
    /// Lowers the largest buffer to this many bytes. A larger matrix is [`Error::Limit`].
    pub max_buffer_bytes: Option<u64>,
    /// The kernel that computes every product, if it can. By default each product uses the kernel that suits its shape.
    pub matmul_kernel: Option<MatmulKernel>,
    /// The number of threads that share a row in kernels that work on rows: 1, 16, 128 or 256, and 512 or 1024 if the device has
    /// so many threads a workgroup and enough workgroup memory. By default the length of the row decides.
    pub row_lanes: Option<u32>,
    /// Whether to choose kernels for a software driver as for a GPU, unless other options choose them. This is for testing the
    /// kernels that GPUs run. It is slow on a software driver.
    pub kernels_for_gpus: bool,
    /// Whether to use no subgroup operations even if the adapter has them.
    pub without_subgroups: bool,
    /// The maximal number of multiply-adds in one dispatch of a kernel for GPUs. Larger products are computed in several
    /// dispatches, with the same bits. Kernels for software drivers are not limited, since their dispatches are not ended for
    /// taking long. The default is 2^35, which takes a quarter of a second on a GPU of 0.3 TFLOP/s: drivers end dispatches that
    /// take seconds.
    pub max_multiply_adds: Option<u64>,
    /// Lowers the largest grid to this many workgroups in each dimension.
    pub max_workgroups_per_dimension: Option<u32>,
    /// The number of a submit, counted from 1, whose work is left out and then reported as done. This imitates drivers that end
    /// failed work without an error. Reads then check receipts, as they do on Metal and DX12.
    pub left_out_submit: Option<u64>,
}

/// Whether products use matrix units: hardware by which a subgroup multiplies small square matrices of f16 and adds in f32
/// (tensor cores, matrix cores).
///
/// Each f32 is cut into two f16, and three products replace one. Sums of at least 128 terms stay within the bound of other
/// kernels, except for numbers below 2⁻²⁸ of the largest in their row or column. All other products use another kernel. A row or
/// a column with infinity becomes NaN. See the guide's page on [matrix units](crate::guide::matrix_units).
///
/// ```
/// use wgpu_mlp::{Device, Error, GpuOptions, MatrixUnits};
/// let options = GpuOptions { matrix_units: MatrixUnits::On, ..Default::default() };
/// match Device::gpu_with(&options) {
///     Ok(device) => assert!(device.info().matrix_units),
///     Err(error) => println!("{error}"), // no adapter, or one without them
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum MatrixUnits {
    /// Matrix units are not used, even if the adapter has them.
    #[default]
    Off,
    /// Matrix units compute the products that are large enough to gain from them. If the first adapter has none, the error is
    /// [`Error::NoMatrixUnits`], and no other adapter is tried.
    On,
}

/// A kernel for products. [`Device::tune`](crate::Device::tune) measures these kernels and names the winners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MatmulKernel {
    /// Tiles of 256 x 128 in workgroup memory, with 16 x 8 sums for each thread. `Medium` is used instead if a device has less
    /// than 25 KiB of workgroup memory, or if the number of columns is not a multiple of four.
    Large,
    /// Tiles of 64 x 64, with 8 x 8 sums for each thread.
    Medium,
    /// Tiles of 32 x 64, with 4 x 8 sums for each thread.
    Small,
    /// Tiles of 64 x 16, for products of few columns.
    Narrow,
    /// Tiles of 16 x 128, for products of few rows.
    Flat,
    /// No workgroup memory: for software drivers.
    Direct,
    /// Panels of b in registers, no workgroup memory: for software drivers with subgroup operations and 64-bit integers.
    Panel,
    /// A block of 4 x 4 sums for each thread, no workgroup memory: for small products on software drivers.
    Plain,
    /// Tiles of 8 x 8 matrices on matrix units, if these are in use ([`GpuOptions::matrix_units`]) and there is enough workgroup
    /// memory: 44 KiB for tiles of 128 x 128, which matrices of 16 x 16 make. With less memory `MediumUnits` is used instead.
    /// Without matrix units, or for fewer than 128 steps of k, the shape decides.
    LargeUnits,
    /// Tiles of 4 x 4 matrices on matrix units, if these are in use and there are at least 128 steps of k. Otherwise the shape
    /// decides.
    MediumUnits,
}

impl MatmulKernel {
    /// All kernels for products.
    pub const ALL: [MatmulKernel; 10] = {
        use MatmulKernel::*;
        [Large, Medium, Small, Narrow, Flat, Direct, Panel, Plain, LargeUnits, MediumUnits]
    };
}
