//! How a GPU device is opened.

use std::path::PathBuf;

#[cfg(doc)]
use crate::error::Error;

/// How a GPU device is opened; the default suits everyday use.
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
    /// Take the adapter whose name holds this, case aside; wins over `WGPU_ADAPTER_NAME`.
    pub adapter_name: Option<String>,
    /// The index of the adapter among those of the best kind and backend, modulo their number: for programs that use several
    /// GPUs. By default the first.
    pub adapter_index: Option<usize>,
    /// Compile the shaders with bounds checks and loop limits. The results are the same.
    pub runtime_checks: bool,
    /// Ask the driver stack for API validation (Vulkan's validation layer, say), where it is installed.
    pub validation: bool,
    /// Take no more than this many bytes of device memory: a buffer beyond it is [`Error::OutOfMemory`].
    pub max_memory_bytes: Option<u64>,
    /// A folder of what [`Device::tune`](crate::Device::tune) has found on this adapter and driver: read when the device is
    /// opened, written by the tuning. Without it, kernels are chosen by shape alone, and equal devices and drivers give
    /// equal bits.
    pub tuning: Option<PathBuf>,
    /// Whether products go through matrix units: a choice, because wgpu calls them experimental.
    pub matrix_units: MatrixUnits,
    /// Knobs for tests and measurements, which no program needs.
    #[doc(hidden)]
    pub debug: DebugOptions,
}

/// Knobs for tests and measurements: limits lowered, kernels forced, buffers guarded.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct DebugOptions {
    /// Fill every buffer with NaN before use and look behind its end after: finds a kernel that writes too little or
    /// too much. Slow; for tests.
    pub guarded_buffers: bool,
    /// Lower the largest binding to this many bytes, at least 256: matrices beyond it are worked on in blocks.
    pub max_binding_bytes: Option<u64>,
    /// Lower the largest buffer to this many bytes: a matrix beyond it is [`Error::Limit`].
    pub max_buffer_bytes: Option<u64>,
    /// Compute every product with this kernel, where it can; by default each with the one that suits its shape.
    pub matmul_kernel: Option<MatmulKernel>,
    /// Let so many threads share a row in the kernels that work on rows: 1, 16, 128 or 256, and 512 or 1024
    /// where the device has so many threads a workgroup, and workgroup memory for them; by default the length decides.
    pub row_lanes: Option<u32>,
    /// Choose kernels for a software driver as for a GPU, as far as options leave the choice: for tests of what GPUs run, and for
    /// looking at it. Slow there.
    pub kernels_for_gpus: bool,
    /// Do without subgroup operations, also where the adapter has them.
    pub without_subgroups: bool,
    /// Let no dispatch of a GPU's kernel do more than so many multiply-adds: larger products come in several, with the same bits
    /// (kernels for software drivers, which nobody ends, are not cut). By default
    /// 2^35, which takes a GPU of 0.3 TFLOP/s a quarter of a second: drivers end what takes seconds.
    pub max_multiply_adds: Option<u64>,
    /// Lower the largest grid to this many workgroups a dimension.
    pub max_workgroups_per_dimension: Option<u32>,
    /// Leave out the work of this submit, counted from 1, and go on as if it were done: as drivers do that end work which failed
    /// and do not tell. Reads then look for receipts, as they do on Metal and DX12.
    pub left_out_submit: Option<u64>,
}

/// Whether products go through matrix units: hardware that multiplies small square matrices of f16 and adds in f32 (tensor cores,
/// matrix cores), a subgroup at a time.
///
/// Each f32 is cut into two f16, and three products replace one: sums of at least 128 terms stay within the bound of other
/// kernels, but for numbers below 2⁻²⁸ of their row's or column's largest, and every other product takes another kernel. A row
/// or a column with infinity is NaN. See the guide's page on [matrix units](crate::guide::matrix_units).
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
    /// Matrix units stay unused, also where the adapter has them.
    #[default]
    Off,
    /// Matrix units compute the products that are large enough to gain from them; [`Error::NoMatrixUnits`] where the first adapter has none: no other is tried.
    On,
}

/// A kernel for products, as [`Device::tune`](crate::Device::tune) measures and names them.
///
/// ```
/// assert_eq!(wgpu_mlp::MatmulKernel::ALL.len(), 10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MatmulKernel {
    /// Tiles of 256 x 128 through workgroup memory, 16 x 8 sums a thread. Where a device has less than 25 KiB of that, or the
    /// product's columns are no multiple of four, `Medium`.
    Large,
    /// Tiles of 64 x 64, 8 x 8 sums a thread.
    Medium,
    /// Tiles of 32 x 64, 4 x 8 sums a thread.
    Small,
    /// Tiles of 64 x 16, for products of few columns.
    Narrow,
    /// Tiles of 16 x 128, for products of few rows.
    Flat,
    /// Without workgroup memory: for software drivers.
    Direct,
    /// Panels of b in registers, without workgroup memory: for software drivers with subgroup operations and 64-bit words.
    Panel,
    /// Four sums a thread, for small products on software drivers.
    Plain,
    /// Tiles of 8 x 8 matrices on matrix units, where these are in use ([`GpuOptions::matrix_units`]) and there is workgroup
    /// memory for them: 44 KiB for tiles of 128 x 128, which matrices of 16 x 16 make. Else `MediumUnits`; without matrix
    /// units, or over fewer than 128 steps of k, what the shape suggests.
    LargeUnits,
    /// Tiles of 4 x 4 matrices on matrix units, where these are in use and there are 128 steps of k; else what the shape
    /// suggests.
    MediumUnits,
}

impl MatmulKernel {
    /// All of them.
    ///
    /// ```
    /// use wgpu_mlp::MatmulKernel;
    /// assert!(MatmulKernel::ALL.contains(&MatmulKernel::Large));
    /// ```
    pub const ALL: [MatmulKernel; 10] = {
        use MatmulKernel::*;
        [Large, Medium, Small, Narrow, Flat, Direct, Panel, Plain, LargeUnits, MediumUnits]
    };
}
