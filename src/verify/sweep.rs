//! The sweep over shapes that finds every kernel variant a device can choose. It makes dry runs of all ops, so that the code that
//! chooses variants runs for every shape.

use std::collections::BTreeSet;

use super::missing::launched;
use super::settings::low_limits;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::mlp::{FitOptions, StepOptions};
use crate::ops::{self, Activation, AdaGradOptions, AdamOptions, CrossEntropy, MomentumOptions, RmsPropOptions};
use crate::optim::{Optimizer, Penalty};
use crate::plan::{planned_model, planned_targets};

/// The shapes of the sweep, on both sides of every limit that the choice of a variant depends on.
struct Shapes {
    /// The sides of products.
    sides: &'static [usize],
    /// The most rows or columns that are few: for each number of few columns there may be a kernel of its own.
    few: usize,
    /// Steps of k of products with few rows or columns: a kernel for small products takes some, one for large ones the others.
    few_steps: &'static [usize],
    /// Rows of the operands that are no products.
    rows: &'static [usize],
    /// Columns of these operands. Every number of lanes, and every number of registers of a lane, is used for some of these rows.
    columns: &'static [usize],
    /// Widths of networks, and the batches they are trained with.
    networks: &'static [&'static [usize]],
    batches: &'static [usize],
}

const ALL: Shapes = Shapes {
    // 1021 is no multiple of four, and large tiles waste no more behind its end than other tiles.
    sides: &[1, 4, 8, 17, 20, 33, 64, 100, 128, 512, 1000, 1021, 4096, 65_536],
    few: 16,
    few_steps: &[4, 4096],
    rows: &[1, 3, 33, 128, 1000, 65_536],
    columns: &[
        1, 2, 3, 4, 10, 12, 16, 17, 20, 33, 64, 65, 100, 128, 129, 132, 260, 500, 513, 516, 1000, 1025, 1028, 2047,
        2048, 2049, 4096, 4097, 4100, 8192, 8193, 8196, 10_000, 16_385, 16_388, 50_000, 50_001,
    ],
    networks: &[&[4, 3], &[64, 32, 10], &[100, 33, 17], &[784, 512, 10], &[64, 32, 16, 12], &[1024, 4096, 1000]],
    batches: &[1, 32, 100, 1000, 16_384],
};

/// Shapes for low limits, which would cut larger ones into millions of blocks.
const SMALL: Shapes = Shapes {
    sides: &[1, 4, 17, 33, 64, 100],
    few: 0,
    few_steps: &[],
    rows: &[1, 33, 128],
    columns: &[1, 3, 4, 10, 16, 17, 20, 33, 100, 129, 132, 516],
    networks: &[&[20, 16, 10], &[33, 17, 21]],
    batches: &[128],
};

/// Shapes between those of the sweep, for which a device chooses no other variants.
#[cfg(test)]
const BETWEEN: Shapes = Shapes {
    sides: &[2, 6, 10, 12, 15, 16, 62, 130, 2050],
    few: 0,
    few_steps: &[],
    rows: &[2, 7, 100],
    columns: &[
        5, 7, 9, 66, 101, 127, 131, 257, 514, 1001, 2050, 3001, 4095, 5000, 9000, 16_383, 20_000, 32_771, 60_001,
    ],
    networks: &[],
    batches: &[],
};

/// Every kernel variant that the device can choose, as it is and with low limits.
pub(super) fn possible_variants(device: &Device) -> BTreeSet<String> {
    if device.context().is_none() {
        return BTreeSet::new();
    }
    let lower = low_limits().filter_map(|(_, change)| device.with_options(change).ok());
    let devices = std::iter::once((device.dry(), &ALL)).chain(lower.map(|device| (device.dry(), &SMALL)));
    devices.flat_map(|(dry, shapes)| shapes.variants(&dry)).collect()
}

/// The kernel variants that the device chooses for shapes between those of the sweep.
#[cfg(test)]
pub(super) fn variants_between(device: &Device) -> BTreeSet<String> {
    BETWEEN.variants(&device.dry())
}

/// Makes a dry run of some ops.
type DryRun<'a> = dyn FnMut(&dyn Fn(&Device) -> Result<()>) + 'a;

impl Shapes {
    /// The kernel variants that ops on these shapes launch.
    fn variants(&self, dry: &Device) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.sweep(&mut |run| found.extend(launched(dry, run).into_iter().flat_map(|launched| launched.variants)));
        found
    }

    /// Runs every op on every shape.
    fn sweep(&self, dry_run: &mut DryRun<'_>) {
        for m in self.sides {
            for k in self.sides {
                for n in self.sides {
                    products(dry_run, [*m, *k, *n]);
                }
            }
        }
        for few in 1..=self.few {
            for side in self.sides {
                for k in self.few_steps {
                    products(dry_run, [few, *k, *side]);
                    products(dry_run, [*side, *k, few]);
                }
            }
        }
        for rows in self.rows {
            for cols in self.columns {
                row_ops(dry_run, *rows, *cols);
                elementwise(dry_run, *rows, *cols);
            }
        }
        for widths in self.networks {
            for batch in self.batches {
                trainings(dry_run, widths, *batch);
            }
        }
    }
}

fn planned(device: &Device, rows: usize, cols: usize) -> Result<Matrix> {
    Matrix::planned(device, "operand", rows, cols)
}

fn products(dry_run: &mut DryRun<'_>, [m, k, n]: [usize; 3]) {
    dry_run(&|on| ops::matmul(&planned(on, m, k)?, &planned(on, k, n)?).map(drop));
    dry_run(&|on| ops::matmul_tn(&planned(on, k, m)?, &planned(on, k, n)?).map(drop));
    dry_run(&|on| ops::matmul_nt(&planned(on, m, k)?, &planned(on, n, k)?).map(drop));
    let linear = |on: &Device, activation| {
        ops::linear(&planned(on, m, k)?, &planned(on, k, n)?, &planned(on, 1, n)?, activation).map(drop)
    };
    dry_run(&|on| linear(on, Activation::None));
    dry_run(&|on| linear(on, Activation::Relu));
    dry_run(&|on| ops::linear_backward(&planned(on, m, k)?, &planned(on, n, k)?, &planned(on, m, n)?).map(drop));
    dry_run(&|on| ops::dense_backward(&planned(on, k, m)?, &planned(on, k, n)?, &planned(on, m, n)?).map(drop));
    dry_run(&|on| ops::linear_gradients(&planned(on, k, m)?, &planned(on, k, n)?).map(drop));
    for options in losses() {
        for distributions in [false, true] {
            dry_run(&|on| {
                let (x, w, bias) = (planned(on, m, k)?, planned(on, k, n)?, planned(on, 1, n)?);
                ops::linear_cross_entropy(&x, &w, &bias, &planned_targets(on, m, n, distributions)?, &options).map(drop)
            });
        }
    }
}

/// Options of losses that have kernel variants of their own.
fn losses() -> [CrossEntropy; 2] {
    [CrossEntropy::default(), CrossEntropy { label_smoothing: 0.1, ..Default::default() }]
}

fn row_ops(dry_run: &mut DryRun<'_>, rows: usize, cols: usize) {
    dry_run(&|on| ops::softmax(&planned(on, rows, cols)?).map(drop));
    dry_run(&|on| ops::log_softmax(&planned(on, rows, cols)?).map(drop));
    dry_run(&|on| ops::softmax_backward(&planned(on, rows, cols)?, &planned(on, rows, cols)?).map(drop));
    dry_run(&|on| ops::argmax(&planned(on, rows, cols)?).map(drop));
    // The rows that count are counted on the device.
    let ignoring = CrossEntropy { ignore_index: Some(0), ..Default::default() };
    dry_run(&|on| {
        let y = planned_targets(on, rows, cols, false)?;
        ops::nll_backward_with(&planned(on, rows, cols)?, &y, &ignoring).map(drop)
    });
    for distributions in [false, true] {
        dry_run(&|on| ops::hits(&planned(on, rows, cols)?, &planned_targets(on, rows, cols, distributions)?).map(drop));
        for options in losses() {
            dry_run(&|on| {
                let (x, y) = (planned(on, rows, cols)?, planned_targets(on, rows, cols, distributions)?);
                ops::nll_with(&x, &y, &options)?;
                ops::nll_backward_with(&x, &y, &options)?;
                ops::softmax_cross_entropy(&x, &y, &options).map(drop)
            });
        }
    }
}

fn elementwise(dry_run: &mut DryRun<'_>, rows: usize, cols: usize) {
    dry_run(&|on| ops::bias_add(&planned(on, rows, cols)?, &planned(on, 1, cols)?).map(drop));
    dry_run(&|on| ops::column_sum(&planned(on, rows, cols)?).map(drop));
    dry_run(&|on| ops::relu(&planned(on, rows, cols)?).map(drop));
    dry_run(&|on| ops::relu_mask(&planned(on, rows, cols)?).map(drop));
    dry_run(&|on| ops::relu_backward(&planned(on, rows, cols)?, &planned(on, rows, cols)?).map(drop));
    dry_run(&|on| ops::dropout(&planned(on, rows, cols)?, 0.5, 0, 0).map(drop));
    dry_run(&|on| ops::dropout_rows(&planned(on, rows, cols)?, &vec![0; rows], 0.5, 0, 0).map(drop));
    dry_run(&|on| ops::clip_scale(&[&planned(on, rows, cols)?], 1.0).map(drop));
}

fn trainings(dry_run: &mut DryRun<'_>, widths: &[usize], batch: usize) {
    let penalty = Penalty { l1_weights: 0.1, l2_weights: 0.1, ..Default::default() };
    let every = [
        FitOptions::default(),
        FitOptions { clip_norm: Some(1.0), penalties: vec![penalty], dropout: 0.5, ..Default::default() },
    ];
    for optimizer in optimizers() {
        for options in &every {
            dry_run(&|on| {
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
