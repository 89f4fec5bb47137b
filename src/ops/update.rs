//! The update step that all rules of optimizers share, for one matrix of parameters or for lists of matrices.

use std::iter::{once, repeat};

use ndarray::Array2;

use super::bank::{self, Gradient};
use super::operands::{on, same_shape};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::kernels::update::{self as kernels, Hyperparameters};
use crate::gpu::{Buffer, Kernel};
use crate::matrix::Matrix;
use crate::options::PenaltyRates;

/// An update rule: how a parameter changes with its gradient, with the options of one step.
pub(crate) trait Rule {
    /// The name of the rule's op and of its kernel.
    fn name(&self) -> &'static str {
        self.kernel().name
    }

    /// Refuses options outside their range.
    fn check(&self) -> Result<()>;

    fn kernel(&self) -> &'static Kernel;

    /// The options in the form that the kernel takes.
    fn hyperparameters(&self) -> Hyperparameters;

    /// The step on the CPU path. `slots` are the values that the rule keeps from earlier steps.
    fn step_on_cpu(&self, w: &mut Array2<f32>, dw: cpu::Gradient<'_, f32>, slots: &mut [&mut Array2<f32>]);
}

/// One step of a matrix of parameters. The gradient is multiplied by `scale`, 1 x 1, if there is one. Then the penalty's gradient is
/// added.
pub(crate) fn update(
    rule: &dyn Rule,
    w: &mut Matrix,
    dw: &Matrix,
    slots: &mut [&mut Matrix],
    penalty: &PenaltyRates,
    scale: Option<&Matrix>,
) -> Result<()> {
    check_device(w)?;
    let slots = slots.iter_mut().map(|slot| vec![&mut **slot]);
    let mut lists: Vec<_> = once(vec![w]).chain(slots).collect();
    update_all(rule, &mut lists, &[dw.into()], &[*penalty], scale)
}

/// Returns an error that the device of this parameter has reported before. The updates that follow leave later ones to the next
/// call, so that no error of another thread ends a step between two parameters.
pub(crate) fn check_device(parameter: &Matrix) -> Result<()> {
    parameter.device().context().map_or(Ok(()), |gpu| gpu.check_device())
}

/// One step of all parameters, with one launch for each run of neighbours in a bank. `lists` are the parameters and the rule's
/// slots. Each list has a matrix for each gradient, and `penalties` has an entry for each. The caller has
/// checked the device.
pub(crate) fn update_all(
    rule: &dyn Rule,
    lists: &mut [Vec<&mut Matrix>],
    gradients: &[Gradient],
    penalties: &[PenaltyRates],
    scale: Option<&Matrix>,
) -> Result<()> {
    check_update(rule, lists, gradients, scale)?;
    let Some(first) = gradients.first() else { return Ok(()) };
    make_unique(rule, lists)?;
    let Some(gpu) = first.matrix().device().context() else {
        update_on_cpu(rule, lists, gradients, penalties, scale);
        return Ok(());
    };
    let buffers: Vec<Vec<&Buffer>> =
        lists.iter().map(|list| list.iter().filter_map(|matrix| matrix.storage().gpu()).collect()).collect();
    let sources: Vec<_> = gradients.iter().filter_map(Gradient::source).collect();
    let scale = scale.and_then(|scale| scale.storage().gpu());
    kernels::update(gpu, (rule.kernel(), rule.hyperparameters()), &buffers, &sources, penalties, scale)
}

/// Gives parameters and slots that share a buffer with a clone buffers of their own, as an update needs them.
pub(crate) fn make_unique(rule: &dyn Rule, lists: &mut [Vec<&mut Matrix>]) -> Result<()> {
    let names = once("parameters").chain(repeat(rule.name()));
    lists.iter_mut().zip(names).try_for_each(|(list, name)| bank::make_unique(name, list))
}

/// [`update_all`] on the CPU path, matrix by matrix.
fn update_on_cpu(
    rule: &dyn Rule,
    lists: &mut [Vec<&mut Matrix>],
    gradients: &[Gradient],
    penalties: &[PenaltyRates],
    scale: Option<&Matrix>,
) {
    let scale = scale.and_then(|scale| scale.storage().cpu()).map_or(1.0, |scale| scale[[0, 0]]);
    for (index, (gradient, penalty)) in gradients.iter().zip(penalties).enumerate() {
        let mut arrays: Vec<_> = lists.iter_mut().filter_map(|list| list[index].array_mut()).collect();
        if let (Some((w, slots)), Some(dw)) = (arrays.split_first_mut(), gradient.matrix().storage().cpu()) {
            rule.step_on_cpu(w, cpu::Gradient::new(dw.view(), scale, penalty), slots);
        }
    }
}

/// Refuses operands that [`update_all`] cannot take. Each list must have as many matrices as there are gradients.
pub(crate) fn check_update(
    rule: &dyn Rule,
    lists: &[Vec<&mut Matrix>],
    gradients: &[Gradient],
    scale: Option<&Matrix>,
) -> Result<()> {
    let op = rule.name();
    let Some((parameters, slots)) = lists.split_first() else { return rule.check() };
    let pairs = || parameters.iter().zip(gradients).enumerate();
    for (index, (w, gradient)) in pairs() {
        same_shape(op, w, gradient.matrix())?;
        slots.iter().try_for_each(|slot| same_shape(op, w, slot[index]))?;
    }
    rule.check()?;
    for (index, (w, gradient)) in pairs() {
        if let Some(first) = parameters.first() {
            on(op, [first, w])?;
        }
        let slots = slots.iter().map(|slot| &*slot[index]);
        once(gradient.matrix()).chain(slots).chain(scale).try_for_each(|other| on(op, [w, other]).map(drop))?;
    }
    Ok(())
}

/// Refuses a learning rate, or another number, that is negative or not finite as f32, as the kernel uses it: 1e39 is finite in f64
/// but not in f32.
pub(super) fn check_size(op: &'static str, option: &'static str, value: f64) -> Result<()> {
    let rule = match value >= 0.0 && value.is_finite() {
        true if (value as f32).is_finite() => return Ok(()),
        true => "at most 3.4e38, the largest f32",
        false => "at least 0 and finite",
    };
    Err(Error::Option { op, option, rule, value })
}

/// Refuses a decay that is negative or not below 1 as f32, as the kernel uses it: 1 - 10⁻⁸ is below 1 in f64 but 1 in f32.
pub(super) fn check_decay(op: &'static str, option: &'static str, value: f64) -> Result<()> {
    let rule = match (0.0..1.0).contains(&value) {
        true if (value as f32) < 1.0 => return Ok(()),
        true => "below 1 when it is rounded to f32",
        false => "from 0 up to but not including 1",
    };
    Err(Error::Option { op, option, rule, value })
}

/// Refuses a number that is not positive, finite and normal as f32, as the kernel uses it: 1e-300 is positive in f64 but 0 in f32.
pub(super) fn check_positive(op: &'static str, option: &'static str, value: f64) -> Result<()> {
    let rule = match value > 0.0 && value.is_finite() {
        true if (value as f32).is_normal() => return Ok(()),
        true => "from 1.2e-38 to 3.4e38, the normal numbers of f32",
        false => "positive and finite",
    };
    Err(Error::Option { op, option, rule, value })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::gpu::Preset;
    use crate::ops::Sgd;

    /// Otherwise the parameters on the second device would be passed over, and nothing would say so.
    #[test]
    fn all_parameters_of_an_update_live_on_one_device() {
        let devices = [Device::cpu(), Device::dry_as(Preset::Discrete)];
        for order in [[0, 1], [1, 0]] {
            let matrices = || order.map(|index: usize| Matrix::zeros(&devices[index], 1, 1).unwrap());
            let (mut parameters, gradients) = (matrices(), matrices());
            let mut lists = [parameters.iter_mut().collect::<Vec<_>>()];
            let gradients = gradients.each_ref().map(Gradient::from);
            let penalties = [PenaltyRates::default(); 2];
            let outcome = update_all(&Sgd { learning_rate: 0.1 }, &mut lists, &gradients, &penalties, None);
            assert!(matches!(outcome, Err(Error::OtherDevice { op: "sgd", .. })), "{order:?}: {outcome:?}");
        }
    }

    #[test]
    fn decays_are_below_one_in_f32() {
        let error = |value| check_decay("adam", "beta2", value).err().map(|error| error.to_string());
        for right in [0.0, 1e-300, 0.9, 0.999_999_9, 1.0 - f64::from(f32::EPSILON) / 2.0] {
            assert_eq!(error(right), None);
        }
        let rounded = "adam: beta2 must be below 1 when it is rounded to f32; got 0.99999999";
        assert_eq!(error(0.999_999_99).as_deref(), Some(rounded));
        let outside = "adam: beta2 must be from 0 up to but not including 1; got 1";
        assert_eq!(error(1.0).as_deref(), Some(outside));
        assert!(error(f64::NAN).is_some() && error(-0.1).is_some());
    }
}
