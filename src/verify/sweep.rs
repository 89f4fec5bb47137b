//! The sweep over shapes that finds every kernel variant a device can choose: the code that chooses is asked in dry runs of
//! all ops.

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

/// Shapes on both sides of every limit that the choice of a variant looks at.
struct Shapes {
    /// The sides of products.
    sides: &'static [usize],
    /// Rows of the operands that are no products.
    rows: &'static [usize],
    /// Columns of those operands: every number of lanes and of registers a lane keeps some of these rows.
    columns: &'static [usize],
    /// Widths of networks, and the batches they are trained with.
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

/// Shapes for low limits, which would cut larger ones into millions of blocks.
const SMALL: Shapes = Shapes {
    sides: &[1, 4, 17, 33, 64, 100],
    rows: &[1, 33, 128],
    columns: &[1, 3, 4, 10, 16, 17, 20, 33, 100, 129, 132, 516],
    networks: &[&[20, 16, 10], &[33, 17, 21]],
    batches: &[128],
};

/// Every kernel variant that the device can choose, as it is and with low limits.
pub(super) fn possible_variants(device: &Device) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if device.context().is_none() {
        return found;
    }
    let lower = low_limits().filter_map(|(_, change)| device.with_options(change).ok());
    let devices = std::iter::once((device.dry(), &ALL)).chain(lower.map(|device| (device.dry(), &SMALL)));
    for (dry, shapes) in devices {
        shapes.sweep(&mut |run| found.extend(launched(&dry, run).into_iter().flat_map(|launched| launched.variants)));
    }
    found
}

/// Makes a dry run of some ops.
type DryRun<'a> = dyn FnMut(&dyn Fn(&Device) -> Result<()>) + 'a;

impl Shapes {
    /// Runs every op on every shape.
    fn sweep(&self, dry_run: &mut DryRun<'_>) {
        for m in self.sides {
            for k in self.sides {
                for n in self.sides {
                    products(dry_run, [*m, *k, *n]);
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
