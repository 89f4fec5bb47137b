//! Settings of a device: options with which it launches kernel variants that it does not launch otherwise.

use super::case::Case;
use super::inputs::Inputs;
use crate::device::Device;
use crate::error::Result;
use crate::gpu::Context;
use crate::options::{GpuOptions, MatmulKernel};

/// Sizes of bindings that hold a few short rows, and a few long ones.
const BINDING_BYTES: [u64; 2] = [4096, 80 << 10];
/// Size of bindings that hold one row that is too long to be kept in registers.
const LONG_ROW_BYTES: u64 = 160 << 10;
/// The most blocks that a case may be cut into.
const MOST_BLOCKS: u64 = 64;
/// Workgroups a dimension; a grid that is folded has at most their square.
const MOST_GROUPS: [u32; 3] = [3, 7, 40];

// Dims of cases that also run in blocks, although this gives no new variant: a later block takes other paths through a kernel than
// the first one.

/// Products whose k is cut where bindings have the second of [`BINDING_BYTES`]: later slices of k add to the results of the
/// first.
const K_IN_BLOCKS: &[[usize; 3]] = &[[65, 255, 257], [512, 256, 128]];
/// Matrices whose rows are cut where bindings have the first of [`BINDING_BYTES`]: later blocks do not begin with the first
/// column.
const ROWS_IN_BLOCKS: &[[usize; 3]] = &[[2, 1027, 1], [2, 1028, 1]];
/// A matrix whose blocks have one row each where bindings have the first of [`BINDING_BYTES`].
const ROW_BY_ROW: [usize; 3] = [37, 1000, 1];
/// A matrix whose blocks have many rows there: the weights and the ids of later rows come with later blocks.
const ROWS_WITH_WEIGHTS: [usize; 3] = [131, 10, 1];
/// A product whose columns are cut where bindings have the first of [`BINDING_BYTES`].
const COLUMNS_IN_BLOCKS: [usize; 3] = [257, 47, 259];
/// A gradient whose sums over k are cut there: the mask follows the last steps.
const MASKED_IN_BLOCKS: [usize; 3] = [63, 257, 65];

/// A change of a device's options.
pub(super) type Change = Box<dyn Fn(&mut GpuOptions)>;

/// Limits so low that operands are cut into blocks, and that grids are folded.
pub(super) fn low_limits() -> impl Iterator<Item = (String, Change)> {
    let bindings = BINDING_BYTES.into_iter().chain([LONG_ROW_BYTES]).map(|bytes| {
        let change: Change = Box::new(move |options| options.debug.max_binding_bytes = Some(bytes));
        (format!("bindings of {bytes} bytes"), change)
    });
    let folded = MOST_GROUPS.into_iter().map(|groups| {
        let change: Change = Box::new(move |options| options.debug.max_workgroups_per_dimension = Some(groups));
        (format!("{groups} workgroups a dimension"), change)
    });
    bindings.chain(folded)
}

/// Matmul kernels, and numbers of lanes for each row, that the device by itself chooses only for shapes larger than those of any
/// case.
fn forced_choices(gpu: &Context) -> impl Iterator<Item = (String, Change)> {
    let kernels = MatmulKernel::ALL.into_iter().flat_map(|kernel| {
        let bindings = BINDING_BYTES.into_iter().map(Some);
        std::iter::once(None).chain(bindings).map(move |bytes| {
            let change: Change = Box::new(move |options| {
                options.debug.matmul_kernel = Some(kernel);
                options.debug.max_binding_bytes = bytes.or(options.debug.max_binding_bytes);
            });
            let bindings = bytes.map_or(String::new(), |bytes| format!(", bindings of {bytes} bytes"));
            (format!("by {kernel:?}{bindings}"), change)
        })
    });
    let lanes = gpu.row_lanes().map(|lanes| {
        let change: Change = Box::new(move |options| options.debug.row_lanes = Some(lanes));
        (format!("by {lanes} lanes a row"), change)
    });
    kernels.chain(lanes)
}

/// A device with other options, on which cases run kernel variants that they do not run on the device as it is.
pub(super) struct Setting {
    /// The other options, as reports print them.
    pub name: String,
    pub device: Device,
    /// The device for dry runs.
    pub dry: Device,
}

impl Setting {
    /// Whether the case may launch other variants here than elsewhere, in not too many blocks.
    pub fn suits(&self, case: &Case, inputs: &Inputs) -> bool {
        let Some(options) = self.device.context().map(Context::options) else { return false };
        let is_product = ["matmul", "linear", "dense", "training"].iter().any(|start| case.op.starts_with(start));
        let words: usize = inputs.matrices.iter().map(|matrix| matrix.len()).sum();
        let few_blocks = options.debug.max_binding_bytes.is_none_or(|bytes| 4 * words as u64 <= MOST_BLOCKS * bytes);
        few_blocks
            && (options.debug.matmul_kernel.is_none() || is_product)
            && (options.debug.row_lanes.is_none() || !is_product)
    }

    /// Whether the case runs here though it launches no new variant, because its operands are cut into blocks.
    pub fn adds_blocks(&self, case: &Case) -> bool {
        let options = self.device.context().map(Context::options);
        let bytes = options
            .filter(|options| options.debug.matmul_kernel.is_none())
            .and_then(|options| options.debug.max_binding_bytes);
        let is_plain = ["", "with ReLU"].contains(&case.variant.as_str());
        let product = bytes == Some(BINDING_BYTES[1]) && is_plain && K_IN_BLOCKS.contains(&case.dims);
        let has_row_weights = case.dims == ROWS_WITH_WEIGHTS && case.variant.contains("row weights");
        let rows = match case.op {
            "bias_add" => ROWS_IN_BLOCKS.contains(&case.dims),
            "softmax_cross_entropy" => case.dims == ROW_BY_ROW || has_row_weights,
            "nll" | "nll_backward" => has_row_weights,
            "linear" => case.dims == COLUMNS_IN_BLOCKS && is_plain,
            "linear_backward" => case.dims == MASKED_IN_BLOCKS && is_plain,
            _ => false,
        };
        product || (bytes == Some(BINDING_BYTES[0]) && rows)
    }
}

/// The settings of a device; none on the CPU path.
pub(super) fn settings(device: &Device) -> Result<Vec<Setting>> {
    let Some(gpu) = device.context() else { return Ok(Vec::new()) };
    let with = |(name, change): (String, Change)| {
        let device = device.with_options(change)?;
        Ok(Setting { name, dry: device.dry(), device })
    };
    low_limits().chain(forced_choices(gpu)).map(with).collect()
}
