//! Cases of the update rules: with plain gradients, and with clipping and penalties.

use ndarray::{Array2, array};

use super::update_bounds::{Element, adagrad_bound, adam_bound, momentum_bound, rmsprop_bound, sgd_bound};
use crate::cpu::reference;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, AdaGradOptions, Adam, AdamOptions, MomentumOptions, RmsPropOptions, Rule, Sgd};
use crate::options::PenaltyRates;
use crate::verify::bounds::Bound;
use crate::verify::expected::Expected;
use crate::verify::inputs::{CaseRng, Inputs, normal};
use crate::verify::operands::{in_f64, uploaded};
use crate::verify::output::Output;
use crate::verify::shapes::all_matrices;
use crate::verify::table::{Cost, Table};

const RATE: f64 = 0.1;
/// The steps of Adam's cases. In the first the corrections of both means are large. In the second the correction of the squares is
/// still a factor of 1.6, and that of the gradients is 1 in f32. In the last both are close to 1.
const EARLY: u64 = 3;
const MIDDLE: u64 = 1000;
const LATE: u64 = 20_000;
/// The clip scale and the penalties of the cases that have them.
const SCALE: f32 = 0.3;
const PENALTY: PenaltyRates = PenaltyRates { l1: 0.2, l2: 0.05 };

/// The dims of cases with parameters that are infinite or NaN.
const NOT_FINITE: [[usize; 3]; 2] = [[23, 17, 1], [50, 20, 1]];

/// An update rule with its options.
#[derive(Clone, Copy)]
struct Update {
    variant: &'static str,
    options: RuleOptions,
}

#[derive(Clone, Copy)]
enum RuleOptions {
    Sgd,
    Momentum(MomentumOptions),
    AdaGrad(AdaGradOptions),
    RmsProp(RmsPropOptions),
    /// Adam's options, and the number of the step.
    Adam(AdamOptions, u64),
}

/// The rules. The default epsilon of some is lost in the roundings of everyday gradients, so there are others whose epsilon is not.
fn updates() -> [Update; 11] {
    let momentum = |nesterov| RuleOptions::Momentum(MomentumOptions { learning_rate: RATE, momentum: 0.9, nesterov });
    let (adagrad, rmsprop, adam) = (AdaGradOptions::default(), RmsPropOptions::default(), AdamOptions::default());
    let with_decay = AdamOptions { learning_rate: 0.01, weight_decay: 0.1, ..adam };
    let all = [
        ("", RuleOptions::Sgd),
        ("", momentum(false)),
        ("Nesterov", momentum(true)),
        ("", RuleOptions::AdaGrad(adagrad)),
        ("large epsilon", RuleOptions::AdaGrad(AdaGradOptions { epsilon: 1e-3, ..adagrad })),
        ("", RuleOptions::RmsProp(rmsprop)),
        ("large epsilon", RuleOptions::RmsProp(RmsPropOptions { decay: 0.9, epsilon: 1e-3, ..rmsprop })),
        ("step 3", RuleOptions::Adam(adam, EARLY)),
        ("step 3, weight decay", RuleOptions::Adam(with_decay, EARLY)),
        ("step 1000", RuleOptions::Adam(adam, MIDDLE)),
        ("step 20000", RuleOptions::Adam(adam, LATE)),
    ];
    all.map(|(variant, options)| Update { variant, options })
}

impl RuleOptions {
    fn rule(&self) -> Box<dyn Rule> {
        match *self {
            RuleOptions::Sgd => Box::new(Sgd { learning_rate: RATE }),
            RuleOptions::Momentum(options) => Box::new(options),
            RuleOptions::AdaGrad(options) => Box::new(options),
            RuleOptions::RmsProp(options) => Box::new(options),
            RuleOptions::Adam(options, step) => Box::new(Adam { options, step }),
        }
    }

    /// For each of the rule's slots, whether its values have signs. Squares have none.
    fn signed_slots(&self) -> &'static [bool] {
        match self {
            RuleOptions::Sgd => &[],
            RuleOptions::Momentum(_) => &[true],
            RuleOptions::AdaGrad(_) | RuleOptions::RmsProp(_) => &[false],
            RuleOptions::Adam(..) => &[true, false],
        }
    }

    fn cost(&self) -> Cost {
        match self {
            RuleOptions::Sgd => |[rows, cols, _]| (2 * rows * cols, 12 * rows * cols),
            RuleOptions::Momentum(options) if !options.nesterov => {
                |[rows, cols, _]| (4 * rows * cols, 20 * rows * cols)
            }
            RuleOptions::Momentum(_) | RuleOptions::AdaGrad(_) => |[rows, cols, _]| (6 * rows * cols, 20 * rows * cols),
            RuleOptions::RmsProp(_) => |[rows, cols, _]| (8 * rows * cols, 20 * rows * cols),
            RuleOptions::Adam(options, _) if options.weight_decay == 0.0 => {
                |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols)
            }
            RuleOptions::Adam(..) => |[rows, cols, _]| (13 * rows * cols, 28 * rows * cols),
        }
    }

    /// The step of one parameter in the reference, from its gradient and slots.
    fn step(&self, w: &mut f64, g: f64, [first, second]: [&mut f64; 2]) {
        match *self {
            RuleOptions::Sgd => reference::sgd(w, g, RATE),
            RuleOptions::Momentum(MomentumOptions { learning_rate, momentum, nesterov }) => {
                reference::momentum(w, g, first, [learning_rate, momentum], nesterov);
            }
            RuleOptions::AdaGrad(AdaGradOptions { learning_rate, epsilon }) => {
                reference::adagrad(w, g, first, [learning_rate, epsilon]);
            }
            RuleOptions::RmsProp(RmsPropOptions { learning_rate, decay, epsilon }) => {
                reference::rmsprop(w, g, first, [learning_rate, decay, epsilon]);
            }
            RuleOptions::Adam(AdamOptions { learning_rate, beta1, beta2, epsilon, weight_decay }, step) => {
                let options = [learning_rate, beta1, beta2, epsilon, weight_decay];
                reference::adam(w, g, [first, second], options, step as i32);
            }
        }
    }

    /// The bounds of the parameter and of the slots.
    fn bound(&self, e: &Element) -> [Bound; 3] {
        match self {
            RuleOptions::Sgd => sgd_bound(e, RATE),
            RuleOptions::Momentum(options) => momentum_bound(e, options),
            RuleOptions::AdaGrad(options) => adagrad_bound(e, options),
            RuleOptions::RmsProp(options) => rmsprop_bound(e, options),
            RuleOptions::Adam(options, step) => adam_bound(e, options, *step),
        }
    }
}

pub(super) fn cases(table: &mut Table) {
    for update in updates() {
        for dims in all_matrices() {
            let draw = move |rng: &mut CaseRng, rows: usize, cols: usize| update.inputs(rng, rows, cols);
            update.add(table, "", *dims, false, draw);
            update.add(table, "clipped, with penalties", *dims, true, draw);
        }
        // Without penalties such a parameter stays as it is, and the slots do not depend on it: nothing may be added for penalties
        // of 0, because 0 times infinity or NaN is NaN.
        for dims in NOT_FINITE {
            update.add(table, "parameters that are not finite", dims, false, move |rng, rows, cols| {
                let mut inputs = update.inputs(rng, rows, cols);
                let w = &mut inputs.matrices[0];
                w.iter_mut().step_by(3).for_each(|w| *w = f32::INFINITY.copysign(*w));
                w.iter_mut().skip(1).step_by(3).for_each(|w| *w = f32::NAN);
                inputs
            });
        }
    }
}

impl Update {
    /// Adds a case with these inputs; `changed` by clipping and penalties.
    fn add(
        self,
        table: &mut Table,
        kind: &str,
        dims: [usize; 3],
        changed: bool,
        draw: impl Fn(&mut CaseRng, usize, usize) -> Inputs + Send + Sync + 'static,
    ) {
        let parts = [self.variant, kind].into_iter().filter(|part| !part.is_empty());
        table.add(
            (self.options.rule().name(), &parts.collect::<Vec<_>>().join(", ")),
            dims,
            self.options.cost(),
            move |rng, [rows, cols, _]| draw(rng, rows, cols),
            move |device, inputs| self.run(device, inputs, changed),
            move |inputs| self.expected(inputs, changed),
        );
    }

    /// Parameters (some of them 0), gradients, and slots: squares where the rule keeps squares.
    fn inputs(&self, rng: &mut CaseRng, rows: usize, cols: usize) -> Inputs {
        let mut w = normal(rng, rows, cols);
        w.iter_mut().step_by(7).for_each(|w| *w = 0.0);
        let mut all = vec![w, normal(rng, rows, cols)];
        for signed in self.options.signed_slots() {
            let values = normal(rng, rows, cols);
            all.push(if *signed { values } else { values.mapv(|x| x * x) });
        }
        if matches!(self.options, RuleOptions::AdaGrad(_) | RuleOptions::RmsProp(_)) {
            // Some parameters have slots and a gradient of 0: only epsilon prevents 0 / 0 there. Others are in their first step.
            all[1].iter_mut().step_by(11).for_each(|gradient| *gradient = 0.0);
            all[2].iter_mut().enumerate().filter(|(i, _)| i % 11 < 2).for_each(|(_, square)| *square = 0.0);
        }
        Inputs { matrices: all, ..Default::default() }
    }

    /// The step on the device; `changed` by clipping and penalties.
    fn run(&self, device: &Device, inputs: &Inputs, changed: bool) -> Result<Vec<Output>> {
        let mut m = uploaded(device, inputs)?;
        let scale = Matrix::from_array(device, array![[SCALE]].view())?;
        let scale = Some(&scale).filter(|_| changed);
        let penalty = if changed { PENALTY } else { PenaltyRates::default() };
        let [w, dw, slots @ ..] = m.as_mut_slice() else { return Ok(Vec::new()) };
        ops::update(self.options.rule().as_ref(), w, dw, &mut slots.iter_mut().collect::<Vec<_>>(), &penalty, scale)?;
        Ok(std::iter::once(&*w).chain(&*slots).cloned().map(Output::from).collect())
    }

    /// The parameters and slots after the step; `changed` by clipping and penalties.
    fn expected(&self, inputs: &Inputs, changed: bool) -> Vec<Expected> {
        let mut all = in_f64(inputs);
        let mut slots = all.split_off(2);
        let (Some(dw), Some(mut w)) = (all.pop(), all.pop()) else { return Vec::new() };
        let (w_before, slots_before) = (w.clone(), slots.clone());
        let (scale, penalty) = if changed { (SCALE.into(), PENALTY) } else { (1.0, PenaltyRates::default()) };
        let gradient = |w: f64, dw: f64| match changed {
            true => reference::penalized_gradient(w, dw, scale, [penalty.l1, penalty.l2]),
            false => dw,
        };
        let slots_at = |slots: &[Array2<f64>], at| [0, 1].map(|slot| slots.get(slot).map_or(0.0, |slot| slot[at]));
        for (at, w) in w.indexed_iter_mut() {
            let [mut first, mut second] = slots_at(&slots, at);
            self.options.step(w, gradient(*w, dw[at]), [&mut first, &mut second]);
            for (value, slot) in [first, second].into_iter().zip(&mut slots) {
                slot[at] = value;
            }
        }
        let bounds = |output: usize| {
            Array2::from_shape_fn(w.dim(), |at| {
                let (w, dw) = (w_before[at], dw[at]);
                // Three constants, two products and two sums.
                let size = (scale * dw).abs() + penalty.l1 + 2.0 * penalty.l2 * w.abs();
                let error = if changed { Bound::roundings(4.0) * size } else { Bound::NONE };
                let (before, after) = (slots_at(&slots_before, at), slots_at(&slots, at));
                let element = Element { w, gradient: gradient(w, dw), error, before, after };
                self.options.bound(&element)[output] + Bound::FLUSH
            })
        };
        let outputs = std::iter::once(&w).chain(&slots).enumerate();
        outputs.map(|(output, want)| Expected::within(&bounds(output), want.clone())).collect()
    }
}
