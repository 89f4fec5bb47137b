//! What the update rules share: a step of one matrix of parameters, or of all parameters of a model at once.

use bytemuck::{Pod, Zeroable};
use ndarray::Array2;

use super::gradients::Gradients;
use super::segments::{SEGMENTS, Segment};
use super::{On, on, same_shape};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{Access, Buffer, Constant, ElementLaunch, Kernel, Launch, LinearGrid, Operand, View};
use crate::matrix::{Joined, Matrix, Unique};
use crate::options::PenaltyRates;

/// Parameters, gradients, the clip's scale, and what a rule keeps.
pub(super) const BUFFERS: &[Access] = &[Access::Write, Access::Read, Access::Read, Access::Write, Access::Write];

/// The kernel of a rule that keeps so many values a parameter; its own file is named like it.
macro_rules! rule_kernel {
    ($name:literal, $slots:literal) => {
        crate::gpu::Kernel {
            name: $name,
            file: concat!("updates/", $name, ".wgsl"),
            forms: crate::gpu::Form::BY_FOUR,
            params: size_of::<crate::ops::update::Params>(),
            buffers: crate::ops::update::BUFFERS.split_at(3 + $slots).0,
            overrides: crate::ops::ELEMENTWISE,
            sizes: &["SEGMENTS"],
        }
    };
}
pub(super) use rule_kernel;

/// How parameters follow their gradients, with the options of one step.
pub(crate) trait Rule {
    /// The op's stem.
    fn name(&self) -> &'static str;

    /// Refuses options outside their range.
    fn check(&self) -> Result<()>;

    fn kernel(&self) -> &'static Kernel;

    /// The options as the kernel takes them.
    fn numbers(&self) -> Numbers;

    /// The step on the CPU path, with what the rule keeps of earlier ones.
    fn twin(&self, w: &mut Array2<f32>, dw: cpu::Gradient<'_, f32>, slots: &mut [&mut Array2<f32>]);
}

/// Options of all rules, each 0 where a rule has no use for it; but `keep` 1.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Numbers {
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

impl Numbers {
    pub fn new(learning_rate: f64) -> Self {
        Numbers { learning_rate: learning_rate as f32, keep: 1.0, ..Zeroable::zeroed() }
    }
}

/// `Params` in `shaders/updates/updates.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    segments: [Segment; SEGMENTS],
    count: u32,
    clipped: u32,
    numbers: Numbers,
}

/// Refuses what [`update`] cannot take.
pub(crate) fn check_update<'a>(
    rule: &dyn Rule,
    w: &Matrix,
    dw: &'a Matrix,
    slots: impl IntoIterator<Item = &'a Matrix>,
    scale: Option<&'a Matrix>,
) -> Result<()> {
    let op = rule.name();
    let others: Vec<_> = std::iter::once(dw).chain(slots).collect();
    others.iter().try_for_each(|other| same_shape(op, w, other))?;
    rule.check()?;
    others.into_iter().chain(scale).try_for_each(|other| on(op, [w, other]).map(|_| ()))
}

/// One step of a matrix of parameters. The gradient is multiplied by `scale`, 1 x 1, where there is one; then the penalties
/// pull.
pub(crate) fn update(
    rule: &dyn Rule,
    w: &mut Matrix,
    dw: &Matrix,
    slots: &mut [&mut Matrix],
    pull: &PenaltyRates,
    scale: Option<&Matrix>,
) -> Result<()> {
    check_update(rule, w, dw, slots.iter().map(|slot| &**slot), scale)?;
    let op = rule.name();
    let elements = w.elements();
    let kept: Vec<_> = slots.iter_mut().map(|slot| slot.unique(op)).collect::<Result<_>>()?;
    match (w.unique(op)?, on(op, [dw])?) {
        (Unique::Cpu(w), On::Cpu([dw])) => {
            let mut slots: Vec<_> = kept.into_iter().filter_map(Unique::cpu).collect();
            let scale = scale.and_then(|scale| scale.storage().cpu()).map_or(1.0, |scale| scale[[0, 0]]);
            rule.twin(w, cpu::Gradient::new(dw, scale, pull), &mut slots);
        }
        (Unique::Gpu(gpu, w), On::Gpu(_, [dw])) => {
            let scale = scale.and_then(|scale| scale.storage().gpu());
            let clipped = scale.is_some();
            let scale = scale.map_or(Operand::Matrix(dw), |scale| Operand::Fixed(View::from(scale)));
            let slots = kept.into_iter().filter_map(Unique::gpu).map(Operand::Matrix);
            let operands: Vec<_> = [Operand::Matrix(w), Operand::Matrix(dw), scale].into_iter().chain(slots).collect();
            gpu.launch_elements(
                gpu.split_flat(elements),
                &ElementLaunch { kernel: rule.kernel(), constants: &constants(), operands: &operands },
                |block, width| params(rule, block.words() / width, Segment::alike(pull), clipped),
            )?;
        }
        // Refused by the check above.
        _ => {}
    }
    Ok(())
}

/// [`update`] of all parameters of a model at once, with slots as long as they and their padding are, and with penalties
/// for each parameter; false where the gradients lie apart.
pub(crate) fn update_joined(
    rule: &dyn Rule,
    w: &Joined<'_>,
    gradients: &Gradients,
    slots: &mut [Matrix],
    pulls: &[PenaltyRates],
    scale: Option<&Matrix>,
) -> Result<bool> {
    rule.check()?;
    let Some((dw, mut segments)) = gradients.segments() else { return Ok(false) };
    for (segment, pull) in segments.iter_mut().zip(pulls) {
        *segment = segment.pulled(pull);
    }
    let kept: Vec<_> = slots.iter_mut().map(|slot| slot.unique(rule.name())).collect::<Result<_>>()?;
    let kept: Vec<&Buffer> = kept.into_iter().filter_map(Unique::gpu).collect();
    let scale = scale.and_then(|scale| scale.storage().gpu());
    for (first, end, segments) in Segment::runs(&segments) {
        let run = |slot| View::of(slot, end as usize, 0..1, first as usize..end as usize);
        let gradient = [View::from(dw), View::from(scale.unwrap_or(dw))];
        let buffers: Vec<_> =
            [w.words(first, end)].into_iter().chain(gradient).chain(kept.iter().copied().map(run)).collect();
        let launch = Launch {
            kernel: rule.kernel(),
            constants: &constants(),
            params: params(rule, (end - first) / 4, segments, scale.is_some()),
            buffers: &buffers,
            groups: LinearGrid::groups(((end - first) / 4).into()),
        };
        w.context().dispatch(launch, w.context().fours())?;
    }
    Ok(true)
}

fn params(rule: &dyn Rule, count: u32, segments: [Segment; SEGMENTS], clipped: bool) -> Params {
    Params { segments, count, clipped: clipped.into(), numbers: rule.numbers() }
}

/// The elementwise constants, and the room for segments.
fn constants() -> [Constant; 3] {
    let [threads, per_thread] = LinearGrid::constants();
    [threads, per_thread, ("SEGMENTS", SEGMENTS as f64)]
}

/// Refuses a learning rate, or another number, that is negative or not finite, as the kernel takes it: 1e39 is finite in
/// f64 alone.
pub(super) fn check_size(op: &'static str, option: &'static str, value: f64) -> Result<()> {
    let fit = value >= 0.0 && (value as f32).is_finite();
    if fit { Ok(()) } else { Err(Error::Option { op, option, rule: "at least 0 and finite", value }) }
}

/// Refuses decays that forget nothing, or turn round.
pub(super) fn check_decay(op: &'static str, option: &'static str, value: f64) -> Result<()> {
    let rule = "from 0 up to but not including 1";
    if (0.0..1.0).contains(&value) { Ok(()) } else { Err(Error::Option { op, option, rule, value }) }
}

/// Refuses what would divide by zero: 1e-300 is positive in f64 alone.
pub(super) fn check_epsilon(op: &'static str, value: f64) -> Result<()> {
    let fit = value > 0.0 && (value as f32).is_normal();
    if fit { Ok(()) } else { Err(Error::Option { op, option: "epsilon", rule: "positive and finite", value }) }
}
