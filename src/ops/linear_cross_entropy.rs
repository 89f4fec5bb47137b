//! linear_cross_entropy: a classifier's last layer and its loss, in one kernel where there are few classes.

use bytemuck::{Pod, Zeroable};

use super::contract::{CrossEntropy, Terms};
use super::linear::linear;
use super::softmax_cross_entropy::{Head, softmax_cross_entropy};
use super::statistics::{self, Pending, Record};
use super::{On, fits, flag, gpu_targets, on};
use crate::error::{Error, Result};
use crate::gpu::kernels::products::ChosenKernel;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, RowGrid, Tile, TileOperands, View, Window};
use crate::matrix::Matrix;
use crate::options::Activation;
use crate::targets::Targets;

const OP: &str = "linear_cross_entropy";
/// The most classes of the one kernel, which keeps no logits.
const FEW_CLASSES: usize = 16;

const BUFFERS: &[Access] =
    &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Write, Access::Write, Access::Write];

/// Through workgroup memory.
static TILED: Kernel = Kernel {
    name: OP,
    file: "rows/linear_cross_entropy.wgsl",
    forms: Form::PLAIN,
    params: size_of::<Params>(),
    buffers: BUFFERS,
    overrides: &["LANES", "ROWS", "FAN", "DISTRIBUTIONS", "SPREAD"],
    sizes: Tile::SIZES,
};

/// Without it.
static DIRECT: Kernel = Kernel {
    name: OP,
    file: "rows/linear_cross_entropy_direct.wgsl",
    forms: Form { shuffled: true, ..Form::PLAIN },
    params: size_of::<Params>(),
    buffers: BUFFERS,
    overrides: &["LANES", "ROWS", "FAN", "DISTRIBUTIONS", "SPREAD"],
    sizes: &["CLASSES", "AHEAD"],
};

#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 2] = [&TILED, &DIRECT];

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    window: Window,
    terms: Terms,
    m: u32,
    n: u32,
    k: u32,
}

/// [`softmax_cross_entropy`] on the logits XW + b of a dense layer, for X `rows x inputs`, W `inputs x classes` and b
/// `1 x classes`: with up to 16 classes, and without weights or an ignored class, in one kernel that keeps no logits; else in
/// two.
///
/// Error: with e the largest error of a row's logits (that of [`linear`]), the loss's bound and 2e Σ q, and for the gradients
/// p (exp(2e) - 1) Σ q over the divisor beside those of [`softmax_cross_entropy`].
///
/// # Errors
/// Those of [`linear`] and of [`softmax_cross_entropy`].
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.]].view())?;
/// let w = Matrix::from_array(&device, array![[1., -1.], [0., 0.5]].view())?;
/// let b = Matrix::zeros(&device, 1, 2)?;
/// let targets = Targets::classes(&device, &[0u8], 2)?;
/// let head = ops::linear_cross_entropy(&x, &w, &b, &targets, &Default::default())?;
/// assert!((head.stats()?.mean_loss() - (1f64 + (-1f64).exp()).ln()).abs() < 1e-6);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn linear_cross_entropy(
    x: &Matrix,
    weights: &Matrix,
    bias: &Matrix,
    targets: &Targets,
    options: &CrossEntropy,
) -> Result<Head> {
    fits(OP, "input columns must equal weight rows", x, weights, x.cols() == weights.rows())?;
    let rule = "the bias must be one row with a value for each weight column";
    fits(OP, rule, weights, bias, bias.shape() == (1, weights.cols()))?;
    let classes = weights.cols();
    if (x.rows(), classes) != (targets.rows(), targets.class_count()) {
        let rule = "there must be a target for each row, of as many classes as weight columns";
        return Err(Error::Shape { op: OP, rule, left: (x.rows(), classes).into(), right: targets.dims() });
    }
    let smooth = (0.0..=1.0).contains(&options.label_smoothing);
    if let On::Gpu(gpu, [x_values, w, b]) = on(OP, [x, weights, bias])?
        && options.is_plain()
        && smooth
        && classes <= FEW_CLASSES
        && let Some(way) = Way::choose(gpu, [x.rows(), classes, x.cols()])
    {
        let y = gpu_targets(OP, x.device(), gpu, targets)?;
        return way.record(gpu, x, targets, [x_values, w, b, y], options);
    }
    softmax_cross_entropy(&linear(x, weights, bias, Activation::None)?, targets, options)
}

/// How the one kernel computes the logits.
enum Way {
    Tiled(Tile),
    Direct,
}

impl Way {
    /// For `m x n` logits over k inputs; none where a binding does not hold an operand, or the tile does not suit.
    fn choose(gpu: &Context, [m, n, k]: [usize; 3]) -> Option<Self> {
        let words = [(m, k), (k, n), (m, n.max(Record::WORDS))].map(|(rows, cols)| rows.saturating_mul(cols) as u64);
        if words.into_iter().any(|words| words > gpu.binding_words()) {
            return None;
        }
        match ChosenKernel::of(gpu, [m, n, k]) {
            ChosenKernel::Tiled(tile) => tile.row_a_thread(n).then_some(Way::Tiled(tile)),
            ChosenKernel::Plain | ChosenKernel::Panel(_) => Some(Way::Direct),
            ChosenKernel::Direct(_) | ChosenKernel::Units(_) => None,
        }
    }

    fn record(
        &self,
        gpu: &Context,
        x: &Matrix,
        targets: &Targets,
        [x_values, w, b, y]: [&Buffer; 4],
        options: &CrossEntropy,
    ) -> Result<Head> {
        let (rows, classes, inputs) = (x.rows(), targets.class_count(), x.cols());
        let shuffled = matches!(self, Way::Direct) && gpu.steps_ahead() > 1;
        let grid = match self {
            Way::Tiled(tile) => RowGrid::by_thread(tile.sides.rows),
            Way::Direct if shuffled => RowGrid::by_thread(RowGrid::SUBGROUP_ROWS),
            Way::Direct => RowGrid::by_thread(RowGrid::SOFTWARE_ROWS),
        };
        let groups = grid.groups(rows);
        let dlogits = gpu.buffer(OP, rows, classes)?;
        let losses = gpu.buffer(OP, rows, 1)?;
        let records = gpu.buffer(OP, groups as usize, Record::WORDS)?;
        let mut constants = grid.constants().to_vec();
        constants.extend([("DISTRIBUTIONS", flag(targets.are_distributions())), options.spread(targets)]);
        let kernel = match self {
            Way::Tiled(tile) => {
                let operands = TileOperands {
                    transpose_a: false,
                    transpose_b: false,
                    vectors_a: inputs.is_multiple_of(4),
                    vectors_b: classes.is_multiple_of(4),
                    aligned: tile.covers([rows, classes, inputs], inputs),
                    column_sums: false,
                };
                constants.extend(tile.constants(gpu.is_software(), &operands));
                &TILED
            }
            Way::Direct => {
                constants.extend([("CLASSES", classes as f64), ("AHEAD", gpu.steps_ahead().into())]);
                &DIRECT
            }
        };
        let form = Form { shuffled, ..Form::PLAIN };
        let launch = Launch {
            kernel,
            constants: &constants,
            params: Params {
                window: Window::whole(rows, classes),
                terms: options.terms(targets),
                m: rows as u32,
                n: classes as u32,
                k: inputs as u32,
            },
            buffers: &[x_values, w, b, y, &dlogits, &losses, &records].map(View::from),
            groups,
        };
        gpu.dispatch(launch, form)?;
        Ok(Head::new(
            Matrix::on_gpu(x.device(), rows, 1, losses),
            Matrix::on_gpu(x.device(), rows, classes, dlogits),
            Pending::recorded(statistics::reduce(gpu, OP, records, groups as usize)?),
        ))
    }
}
