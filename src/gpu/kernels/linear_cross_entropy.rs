//! The kernels of linear_cross_entropy for few classes. They compute a layer's logits and their loss in one launch and do not store
//! the logits.

use bytemuck::{Pod, Zeroable};

use super::loss_parameters::{LossInputs, LossParameters};
use super::products::ChosenKernel;
use super::softmax_cross_entropy::LossBuffers;
use super::statistics::{self, Record};
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, RowGrid, Tile, TileOperands, View, Window};

const OP: &str = "linear_cross_entropy";
/// The most classes that these kernels are for.
const FEW_CLASSES: usize = 16;

const BUFFERS: &[Access] =
    &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Write, Access::Write, Access::Write];

/// The kernel that computes a tile of logits through workgroup memory.
static TILED: Kernel = Kernel {
    name: OP,
    file: "rows/linear_cross_entropy.wgsl",
    forms: Form::PLAIN,
    params: size_of::<Params>(),
    buffers: BUFFERS,
    overrides: &["LANES", "ROWS", "FAN", "DISTRIBUTIONS", "SPREAD"],
    sizes: Tile::SIZES,
};

/// The kernel for software drivers, in which each thread computes a row of logits by itself.
static DIRECT: Kernel = Kernel {
    name: OP,
    file: "software/linear_cross_entropy_direct.wgsl",
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
    loss: LossParameters,
    m: u32,
    n: u32,
    k: u32,
}

/// The kernel for linear_cross_entropy that suits a shape and a device.
#[derive(Debug)]
pub(crate) enum LinearCrossEntropy {
    Tiled(Tile),
    Direct,
}

impl LinearCrossEntropy {
    /// Chooses the kernel for `rows x classes` logits over so many inputs. None if there are too many classes, if a binding does
    /// not hold an operand, or if the product's tile does not hold whole rows.
    pub fn choose(gpu: &Context, [rows, classes, inputs]: [usize; 3]) -> Option<Self> {
        if classes > FEW_CLASSES {
            return None;
        }
        let operands = [(rows, inputs), (inputs, classes), (rows, classes.max(Record::WORDS))];
        let words = operands.map(|(rows, cols)| rows.saturating_mul(cols) as u64);
        if words.into_iter().any(|words| words > gpu.binding_words()) {
            return None;
        }
        match ChosenKernel::of(gpu, [rows, classes, inputs]) {
            ChosenKernel::Tiled(tile) => tile.row_a_thread(classes).then_some(Self::Tiled(tile)),
            ChosenKernel::Plain | ChosenKernel::Panel(_) => Some(Self::Direct),
            ChosenKernel::Direct(_) | ChosenKernel::Units(_) => None,
        }
    }

    /// The losses of the logits X W + b, their gradient and statistics, without weights.
    pub fn launch(
        &self,
        gpu: &Context,
        [x, w, bias]: [&Buffer; 3],
        inputs: usize,
        loss: &LossInputs<'_>,
    ) -> Result<LossBuffers> {
        let (rows, classes) = (loss.rows, loss.classes);
        let shuffled = matches!(self, Self::Direct) && gpu.steps_ahead() > 1;
        let grid = match self {
            Self::Tiled(tile) => RowGrid::by_thread(tile.sides.rows),
            Self::Direct if shuffled => RowGrid::by_thread(RowGrid::SUBGROUP_ROWS),
            Self::Direct => RowGrid::by_thread(RowGrid::SOFTWARE_ROWS),
        };
        let groups = grid.groups(rows);
        let dlogits = gpu.buffer(OP, rows, classes)?;
        let losses = gpu.buffer(OP, rows, 1)?;
        let records = gpu.buffer(OP, groups as usize, Record::WORDS)?;
        let mut constants = grid.constants().to_vec();
        constants.extend([loss.distributions(), loss.spread()]);
        let kernel = match self {
            Self::Tiled(tile) => {
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
            Self::Direct => {
                constants.extend([("CLASSES", classes as f64), ("AHEAD", gpu.steps_ahead().into())]);
                &DIRECT
            }
        };
        let launch = Launch {
            kernel,
            constants: &constants,
            params: Params {
                window: Window::whole(rows, classes),
                loss: loss.parameters(false),
                m: rows as u32,
                n: classes as u32,
                k: inputs as u32,
            },
            buffers: &[x, w, bias, loss.targets.buffer(), &dlogits, &losses, &records].map(View::from),
            groups,
        };
        let multiply_adds = (rows as u64).saturating_mul(inputs as u64).saturating_mul(classes as u64);
        gpu.dispatch_work(launch, Form { shuffled, ..Form::PLAIN }, multiply_adds)?;
        Ok(LossBuffers { losses, dlogits, records: statistics::reduce(gpu, OP, records, groups as usize)? })
    }
}
