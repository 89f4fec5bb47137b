//! Which variants of kernels a device can choose, found out by the code that chooses: every op goes through a dry run, at
//! shapes on both sides of whatever the choice looks at.

use std::collections::BTreeSet;

use super::case::{Case, Inputs};
use crate::device::Device;
use crate::error::Result;
use crate::gpu::{Context, Entries, Variant};
use crate::matrix::Matrix;
use crate::mlp::{FitOptions, StepOptions};
use crate::ops::{self, Activation, AdaGradOptions, AdamOptions, CrossEntropy, MomentumOptions, RmsPropOptions};
use crate::optim::{Optimizer, Penalty};
use crate::options::{GpuOptions, MatmulKernel};
use crate::plan::{planned_model, planned_targets};

/// The shapes at which the choice is asked.
struct Shapes {
    /// The sides of products.
    sides: &'static [usize],
    /// Rows of what is taken by rows or value by value.
    rows: &'static [usize],
    /// Their columns: each length of row that some number of lanes holds in a number of registers of its own.
    columns: &'static [usize],
    /// Networks, and the batches they are trained with.
    networks: &'static [&'static [usize]],
    batches: &'static [usize],
}

const ALL: Shapes = Shapes {
    sides: &[1, 4, 8, 17, 20, 33, 64, 100, 128, 257, 512, 1000, 4096, 65_536],
    rows: &[1, 3, 33, 128, 1000, 65_536],
    columns: &[
        1, 2, 3, 4, 10, 12, 16, 17, 20, 33, 64, 100, 128, 129, 132, 260, 500, 513, 516, 1000, 1025, 1028, 2047, 2048,
        4096, 4097, 4100, 8192, 8193, 8196, 10_000, 16_385, 16_388, 50_000, 50_001,
    ],
    networks: &[&[4, 3], &[64, 32, 10], &[100, 33, 17], &[784, 512, 10], &[64, 32, 16, 12], &[1024, 4096, 1000]],
    batches: &[1, 32, 100, 1000, 16_384],
};

/// Those that low limits cut up: larger ones would come in millions of windows.
const SMALL: Shapes = Shapes {
    sides: &[1, 4, 17, 33, 64, 100],
    rows: &[1, 33, 128],
    columns: &[1, 3, 4, 10, 16, 17, 20, 33, 100, 129, 132, 516],
    networks: &[&[20, 16, 10], &[33, 17, 21]],
    batches: &[128],
};

/// Bindings that a few rows fill, and such that long rows do.
const WINDOW_BYTES: [u64; 2] = [4096, 80 << 10];
/// Bindings that hold one row of those that no lanes keep whole.
const LONG_ROW_BYTES: u64 = 160 << 10;
/// Windows that a case may come in.
const MOST_WINDOWS: u64 = 64;
/// Workgroups a dimension: a grid that is folded has at most their square.
const MOST_GROUPS: [u32; 3] = [3, 7, 40];

/// A change of a device's options.
type Change = Box<dyn Fn(&mut GpuOptions)>;

/// Limits so low that operands come in windows, and that grids are folded.
fn limits() -> impl Iterator<Item = (String, Change)> {
    let windows = WINDOW_BYTES.into_iter().chain([LONG_ROW_BYTES]).map(|bytes| {
        let change: Change = Box::new(move |options| options.max_binding_bytes = Some(bytes));
        (format!("bindings of {bytes} bytes"), change)
    });
    let folded = MOST_GROUPS.into_iter().map(|groups| {
        let change: Change = Box::new(move |options| options.max_workgroups_per_dimension = Some(groups));
        (format!("{groups} workgroups a dimension"), change)
    });
    windows.chain(folded)
}

/// Kernels and lanes as they are chosen for shapes larger than any case.
fn choices(gpu: &Context) -> impl Iterator<Item = (String, Change)> {
    let kernels = MatmulKernel::ALL.into_iter().flat_map(|kernel| {
        let windows = WINDOW_BYTES.into_iter().map(Some);
        std::iter::once(None).chain(windows).map(move |bytes| {
            let change: Change = Box::new(move |options| {
                options.matmul_kernel = Some(kernel);
                options.max_binding_bytes = bytes.or(options.max_binding_bytes);
            });
            let windows = bytes.map_or(String::new(), |bytes| format!(", bindings of {bytes} bytes"));
            (format!("by {kernel:?}{windows}"), change)
        })
    });
    let lanes = gpu.row_lanes().map(|lanes| {
        let change: Change = Box::new(move |options| options.row_lanes = Some(lanes));
        (format!("by {lanes} lanes a row"), change)
    });
    kernels.chain(lanes)
}

/// A device in another setting, and its dry twin.
pub(super) struct Setting {
    /// What is special about it.
    pub name: String,
    pub device: Device,
    pub dry: Device,
}

impl Setting {
    /// Whether the case may take other variants here than elsewhere, in not too many windows.
    pub fn suits(&self, case: &Case, inputs: &Inputs) -> bool {
        let Some(options) = self.device.context().map(Context::options) else { return false };
        let is_product = ["matmul", "linear", "dense", "training"].iter().any(|start| case.op.starts_with(start));
        let words: usize = inputs.matrices.iter().map(|matrix| matrix.len()).sum();
        let few_windows = options.max_binding_bytes.is_none_or(|bytes| 4 * words as u64 <= MOST_WINDOWS * bytes);
        few_windows && (options.matmul_kernel.is_none() || is_product) && (options.row_lanes.is_none() || !is_product)
    }
}

/// Products that come in several windows of k where bindings are as small as the second of [`WINDOW_BYTES`], of which the kernels
/// for larger products compute some: a later window adds to what the first left. And rows that come in pieces, or one by one, where
/// they are as small as the first: a later piece does not begin with the first column, nor a later window with the first row or column.
/// No variant's name tells either.
const IN_WINDOWS: &[[usize; 3]] = &[[65, 255, 257], [512, 256, 128]];
const IN_PIECES: &[[usize; 3]] = &[[2, 1027, 1], [2, 1028, 1]];
const ROW_BY_ROW: [usize; 3] = [37, 1000, 1];
const IN_COLUMNS: [usize; 3] = [257, 47, 259];

impl Setting {
    /// Whether the case is to run here though it may take no variant that is new.
    pub fn adds_windows(&self, case: &Case) -> bool {
        let options = self.device.context().map(Context::options);
        let bytes =
            options.filter(|options| options.matmul_kernel.is_none()).and_then(|options| options.max_binding_bytes);
        let is_plain = ["", "with ReLU"].contains(&case.variant.as_str());
        let product = bytes == Some(WINDOW_BYTES[1]) && is_plain && IN_WINDOWS.contains(&case.dims);
        let rows = match case.op {
            "bias_add" => IN_PIECES.contains(&case.dims),
            "softmax_cross_entropy" => case.dims == ROW_BY_ROW,
            "linear" => case.dims == IN_COLUMNS && is_plain,
            _ => false,
        };
        product || (bytes == Some(WINDOW_BYTES[0]) && rows)
    }
}

/// Every setting in which the device is asked.
pub(super) fn settings(device: &Device) -> Result<Vec<Setting>> {
    let Some(gpu) = device.context() else { return Ok(Vec::new()) };
    let with = |(name, change): (String, Change)| {
        let device = device.with_options(change)?;
        Ok(Setting { name, dry: device.dry(), device })
    };
    limits().chain(choices(gpu)).map(with).collect()
}

/// What these ops launch on the device, in a dry run; nothing where a limit keeps one from being done.
pub(super) fn launched(dry: &Device, run: impl FnOnce(&Device) -> Result<()>) -> Option<Entries> {
    let taken = || dry.context().map(Context::take_entries).unwrap_or_default();
    taken();
    let outcome = run(dry);
    let launched = taken();
    outcome.is_ok().then_some(launched)
}

/// What is still to be run.
pub(super) struct Missing {
    names: BTreeSet<String>,
    /// The ops that have cases.
    ops: BTreeSet<&'static str>,
    /// What was taken off, as it is compiled, in that order.
    pub compiled: Vec<Variant>,
}

impl Missing {
    pub fn new(possible: &BTreeSet<String>, cases: &[Case]) -> Self {
        let ops = cases.iter().map(|case| case.op).collect();
        Missing { names: possible.clone(), ops, compiled: Vec::new() }
    }

    /// Takes what has run off, and says whether there was something new in it.
    pub fn ran(&mut self, launched: Option<Entries>) -> bool {
        let (before, launched) = (self.names.len(), launched.unwrap_or_default());
        let new = launched.compiled.into_iter().filter(|(name, _)| self.names.contains(name));
        self.compiled.extend(new.map(|(_, variant)| variant));
        self.names.retain(|name| !launched.variants.contains(name));
        self.names.len() < before
    }

    /// Whether the case might run some of it in another setting: its op's own kernel, one of those that only other ops launch,
    /// or any, where the case is of several ops.
    pub fn wants(&self, case: &Case) -> bool {
        let of_several = ["dense_backward", "training"].contains(&case.op);
        let kernels = self.names.iter().filter_map(|name| name.split(" [").next());
        let mut wanted = kernels.map(|kernel| kernel == case.op || !self.ops.contains(kernel) || of_several);
        wanted.any(|wanted| wanted)
    }

    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }
}

/// Every variant that the device can choose, in these settings.
pub(super) fn possible(device: &Device) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if device.context().is_none() {
        return found;
    }
    let lowered = limits().filter_map(|(_, change)| device.with_options(change).ok());
    let devices = std::iter::once((device.dry(), &ALL)).chain(lowered.map(|device| (device.dry(), &SMALL)));
    for (dry, shapes) in devices {
        shapes.sweep(&mut |run| found.extend(launched(&dry, run).into_iter().flat_map(|launched| launched.variants)));
    }
    found
}

/// Takes a run of some ops in.
type Note<'a> = dyn FnMut(&dyn Fn(&Device) -> Result<()>) + 'a;

impl Shapes {
    fn sweep(&self, note: &mut Note<'_>) {
        for m in self.sides {
            for k in self.sides {
                for n in self.sides {
                    products(note, [*m, *k, *n]);
                }
            }
        }
        for rows in self.rows {
            for cols in self.columns {
                by_rows(note, *rows, *cols);
                elements(note, *rows, *cols);
            }
        }
        for widths in self.networks {
            for batch in self.batches {
                trainings(note, widths, *batch);
            }
        }
    }
}

fn planned(device: &Device, rows: usize, cols: usize) -> Result<Matrix> {
    Matrix::planned(device, "operand", rows, cols)
}

fn products(note: &mut Note<'_>, [m, k, n]: [usize; 3]) {
    note(&|on| ops::matmul(&planned(on, m, k)?, &planned(on, k, n)?).map(drop));
    note(&|on| ops::matmul_tn(&planned(on, k, m)?, &planned(on, k, n)?).map(drop));
    note(&|on| ops::matmul_nt(&planned(on, m, k)?, &planned(on, n, k)?).map(drop));
    let linear = |on: &Device, activation| {
        ops::linear(&planned(on, m, k)?, &planned(on, k, n)?, &planned(on, 1, n)?, activation).map(drop)
    };
    note(&|on| linear(on, Activation::None));
    note(&|on| linear(on, Activation::Relu));
    note(&|on| ops::linear_backward(&planned(on, m, k)?, &planned(on, n, k)?, &planned(on, m, n)?).map(drop));
    note(&|on| ops::dense_backward(&planned(on, k, m)?, &planned(on, k, n)?, &planned(on, m, n)?).map(drop));
    note(&|on| ops::linear_gradients(&planned(on, k, m)?, &planned(on, k, n)?).map(drop));
    for options in losses() {
        for distributed in [false, true] {
            note(&|on| {
                let (x, w, bias) = (planned(on, m, k)?, planned(on, k, n)?, planned(on, 1, n)?);
                ops::linear_cross_entropy(&x, &w, &bias, &planned_targets(on, m, n, distributed)?, &options).map(drop)
            });
        }
    }
}

/// Options of losses that have variants of their own.
fn losses() -> [CrossEntropy; 2] {
    [CrossEntropy::default(), CrossEntropy { label_smoothing: 0.1, ..Default::default() }]
}

fn by_rows(note: &mut Note<'_>, rows: usize, cols: usize) {
    note(&|on| ops::softmax(&planned(on, rows, cols)?).map(drop));
    note(&|on| ops::log_softmax(&planned(on, rows, cols)?).map(drop));
    note(&|on| ops::softmax_backward(&planned(on, rows, cols)?, &planned(on, rows, cols)?).map(drop));
    note(&|on| ops::argmax(&planned(on, rows, cols)?).map(drop));
    for distributed in [false, true] {
        note(&|on| ops::accuracy(&planned(on, rows, cols)?, &planned_targets(on, rows, cols, distributed)?).map(drop));
        for options in losses() {
            note(&|on| {
                let (x, y) = (planned(on, rows, cols)?, planned_targets(on, rows, cols, distributed)?);
                ops::nll_with(&x, &y, &options)?;
                ops::nll_backward_with(&x, &y, &options)?;
                ops::softmax_cross_entropy(&x, &y, &options).map(drop)
            });
        }
    }
}

fn elements(note: &mut Note<'_>, rows: usize, cols: usize) {
    note(&|on| ops::bias_add(&planned(on, rows, cols)?, &planned(on, 1, cols)?).map(drop));
    note(&|on| ops::column_sum(&planned(on, rows, cols)?).map(drop));
    note(&|on| ops::relu(&planned(on, rows, cols)?).map(drop));
    note(&|on| ops::relu_mask(&planned(on, rows, cols)?).map(drop));
    note(&|on| ops::relu_backward(&planned(on, rows, cols)?, &planned(on, rows, cols)?).map(drop));
    note(&|on| ops::dropout(&planned(on, rows, cols)?, 0.5, 0, 0).map(drop));
    note(&|on| ops::clip_scale(&[&planned(on, rows, cols)?], 1.0).map(drop));
}

fn trainings(note: &mut Note<'_>, widths: &[usize], batch: usize) {
    let penalty = Penalty { l1_weights: 0.1, l2_weights: 0.1, ..Default::default() };
    let every = [
        FitOptions::default(),
        FitOptions { clip_norm: Some(1.0), penalties: vec![penalty], dropout: 0.5, ..Default::default() },
    ];
    for optimizer in optimizers() {
        for options in &every {
            note(&|on| {
                let mut model = planned_model(on, widths)?;
                let mut state = FitOptions { optimizer, ..options.clone() }.optimizer_state(widths.len() - 1);
                let step = StepOptions { dropout: options.dropout, ..Default::default() };
                let (x, y) = (planned(on, batch, model.inputs())?, planned_targets(on, batch, model.classes(), false)?);
                model.train_step_with(&x, &y, &step, &mut state)?;
                model.train_step_with(&x, &y, &step, &mut state).map(drop)
            });
        }
    }
}

fn optimizers() -> [Optimizer; 5] {
    [
        Optimizer::Sgd { learning_rate: 0.1 },
        Optimizer::Momentum(MomentumOptions::default()),
        Optimizer::AdaGrad(AdaGradOptions::default()),
        Optimizer::RmsProp(RmsPropOptions::default()),
        Optimizer::Adam(AdamOptions::default()),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::gpu::Preset;
    use crate::verify::cases;

    #[test]
    fn every_variant_that_a_device_can_choose_has_a_case() {
        let devices = Preset::ALL.map(Device::dry_as);
        let settings: Vec<_> = devices.iter().map(|device| settings(device).unwrap()).collect();
        let cases = cases();
        let possible: Vec<_> = devices.iter().map(possible).collect();
        let mut missing: Vec<_> = possible.iter().map(|possible| Missing::new(possible, &cases)).collect();
        for case in &cases {
            let inputs = case.inputs(0);
            let run = |dry: &Device| case.run(dry, &inputs).map(drop);
            for ((device, settings), missing) in devices.iter().zip(&settings).zip(&mut missing) {
                missing.ran(launched(device, run));
                for setting in settings.iter().filter(|setting| setting.suits(case, &inputs)) {
                    if missing.wants(case) {
                        missing.ran(launched(&setting.dry, run));
                    }
                }
            }
        }
        for ((preset, possible), missing) in Preset::ALL.iter().zip(&possible).zip(&missing) {
            let names = missing.names();
            assert!(possible.len() > 100, "{preset:?} chooses among {possible:?}");
            assert!(names.is_empty(), "{preset:?}: {} of {}: {names:#?}", names.len(), possible.len());
        }
    }
}
