//! The kernels of the optimizers: one step of all parameters, which also updates the rule's slots.

use bytemuck::{Pod, Zeroable};

use crate::error::Result;
use crate::gpu::bank::{self, GradientSource, ParameterRange, RANGES};
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, LinearGrid, View};
use crate::options::PenaltyRates;

/// The buffers of an update: parameters, gradients, the clip's scale, and the rule's slots.
const BUFFERS: &[Access] = &[Access::Write, Access::Read, Access::Read, Access::Write, Access::Write];

pub(crate) static SGD: Kernel = kernel("sgd", "updates/sgd.wgsl", 0);
pub(crate) static MOMENTUM: Kernel = kernel("momentum", "updates/momentum.wgsl", 1);
pub(crate) static ADAGRAD: Kernel = kernel("adagrad", "updates/adagrad.wgsl", 1);
pub(crate) static RMSPROP: Kernel = kernel("rmsprop", "updates/rmsprop.wgsl", 1);
pub(crate) static ADAM: Kernel = kernel("adam", "updates/adam.wgsl", 2);

#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 5] = [&SGD, &MOMENTUM, &ADAGRAD, &RMSPROP, &ADAM];

/// The kernel of a rule with so many slots.
const fn kernel(name: &'static str, file: &'static str, slots: usize) -> Kernel {
    Kernel {
        name,
        file,
        forms: Form::BY_FOUR,
        params: size_of::<Params>(),
        buffers: BUFFERS.split_at(3 + slots).0,
        overrides: &["THREADS", "PER_THREAD"],
        sizes: &["RANGES"],
    }
}

/// The hyperparameters of all rules. Those that a rule does not use are 0, except that `keep` is 1.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Hyperparameters {
    pub nesterov: u32,
    pub learning_rate: f32,
    pub decay1: f32,
    pub decay2: f32,
    pub rest1: f32,
    pub rest2: f32,
    pub unbias1: f32,
    pub unbias2: f32,
    pub epsilon: f32,
    pub keep: f32,
}

impl Hyperparameters {
    /// The hyperparameters of a rule that has only a learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Hyperparameters { learning_rate: learning_rate as f32, keep: 1.0, ..Zeroable::zeroed() }
    }
}

/// The parameters of the kernel: `Params` in `shaders/updates/updates.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    ranges: [ParameterRange; RANGES],
    count: u32,
    clipped: u32,
    hyperparameters: Hyperparameters,
}

/// Records one step. `lists` are the parameters and the rule's slots. Each list, and `penalties`, has an entry for each gradient.
/// The gradients are multiplied by `scale`, one word, if there is one. The caller has checked the device:
/// see [`Context::dispatch_unchecked`].
pub(crate) fn update(
    gpu: &Context,
    (kernel, hyperparameters): (&'static Kernel, Hyperparameters),
    lists: &[Vec<&Buffer>],
    gradients: &[GradientSource<'_>],
    penalties: &[PenaltyRates],
    scale: Option<&Buffer>,
) -> Result<()> {
    let [threads, per_thread] = LinearGrid::constants();
    for run in bank::runs(gpu, lists, gradients) {
        let mut ranges = run.ranges;
        for (range, penalty) in ranges.iter_mut().zip(&penalties[run.matrices.clone()]) {
            *range = range.with_penalties(penalty);
        }
        let scale_view = scale.map_or_else(|| run.gradients.clone(), View::from);
        let mut views = lists.iter().map(|list| run.view(list));
        let parameters = views.next().into_iter();
        let buffers: Vec<_> = parameters.chain([run.gradients.clone(), scale_view]).chain(views).collect();
        let launch = Launch {
            kernel,
            constants: &[threads, per_thread, ("RANGES", RANGES as f64)],
            params: Params { ranges, count: run.count, clipped: scale.is_some().into(), hyperparameters },
            buffers: &buffers,
            groups: LinearGrid::groups(run.count.into()),
        };
        gpu.dispatch_unchecked(launch, run.form, 0)?;
    }
    Ok(())
}
