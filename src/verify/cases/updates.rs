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

/// An update rule, its reference and its bounds, as its cases need them.
struct Update {
    name: &'static str,
    variant: &'static str,
    /// The number of the rule's slots.
    slots: usize,
    rule: fn() -> Box<dyn Rule>,
    /// The step of one parameter in the reference, from its gradient and slots.
    reference: fn(&mut f64, f64, [&mut f64; 2]),
    /// The bounds of the parameter and of the slots.
    bound: fn(&Element) -> [Bound; 3],
    cost: Cost,
}

const UPDATES: [Update; 11] = [
    Update {
        name: "sgd",
        variant: "",
        slots: 0,
        rule: || Box::new(Sgd { learning_rate: RATE }),
        reference: |w, g, _| reference::sgd(w, g, RATE),
        bound: |e| sgd_bound(e, RATE),
        cost: |[rows, cols, _]| (2 * rows * cols, 12 * rows * cols),
    },
    Update {
        name: "momentum",
        variant: "",
        slots: 1,
        rule: || Box::new(velocity(false)),
        reference: |w, g, [v, _]| reference::momentum(w, g, v, [RATE, 0.9], false),
        bound: |e| momentum_bound(e, &velocity(false)),
        cost: |[rows, cols, _]| (4 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "momentum",
        variant: "Nesterov",
        slots: 1,
        rule: || Box::new(velocity(true)),
        reference: |w, g, [v, _]| reference::momentum(w, g, v, [RATE, 0.9], true),
        bound: |e| momentum_bound(e, &velocity(true)),
        cost: |[rows, cols, _]| (6 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "adagrad",
        variant: "",
        slots: 1,
        rule: || Box::new(AdaGradOptions::default()),
        reference: |w, g, [s, _]| {
            let AdaGradOptions { learning_rate, epsilon } = AdaGradOptions::default();
            reference::adagrad(w, g, s, [learning_rate, epsilon]);
        },
        bound: |e| adagrad_bound(e, &AdaGradOptions::default()),
        cost: |[rows, cols, _]| (6 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "adagrad",
        variant: "large epsilon",
        slots: 1,
        rule: || Box::new(ADAGRAD),
        reference: |w, g, [s, _]| reference::adagrad(w, g, s, [ADAGRAD.learning_rate, ADAGRAD.epsilon]),
        bound: |e| adagrad_bound(e, &ADAGRAD),
        cost: |[rows, cols, _]| (6 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "rmsprop",
        variant: "",
        slots: 1,
        rule: || Box::new(RmsPropOptions::default()),
        reference: |w, g, [s, _]| {
            let RmsPropOptions { learning_rate, decay, epsilon } = RmsPropOptions::default();
            reference::rmsprop(w, g, s, [learning_rate, decay, epsilon]);
        },
        bound: |e| rmsprop_bound(e, &RmsPropOptions::default()),
        cost: |[rows, cols, _]| (8 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "rmsprop",
        variant: "large epsilon",
        slots: 1,
        rule: || Box::new(RMSPROP),
        reference: |w, g, [s, _]| {
            reference::rmsprop(w, g, s, [RMSPROP.learning_rate, RMSPROP.decay, RMSPROP.epsilon]);
        },
        bound: |e| rmsprop_bound(e, &RMSPROP),
        cost: |[rows, cols, _]| (8 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "adam",
        variant: "step 3",
        slots: 2,
        rule: || Box::new(Adam { options: AdamOptions::default(), step: EARLY }),
        reference: |w, g, slots| adam(w, g, slots, &AdamOptions::default(), EARLY),
        bound: |e| adam_bound(e, &AdamOptions::default(), EARLY),
        cost: |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols),
    },
    Update {
        name: "adam",
        variant: "step 3, weight decay",
        slots: 2,
        rule: || Box::new(Adam { options: WITH_DECAY, step: EARLY }),
        reference: |w, g, slots| adam(w, g, slots, &WITH_DECAY, EARLY),
        bound: |e| adam_bound(e, &WITH_DECAY, EARLY),
        cost: |[rows, cols, _]| (13 * rows * cols, 28 * rows * cols),
    },
    Update {
        name: "adam",
        variant: "step 1000",
        slots: 2,
        rule: || Box::new(Adam { options: AdamOptions::default(), step: MIDDLE }),
        reference: |w, g, slots| adam(w, g, slots, &AdamOptions::default(), MIDDLE),
        bound: |e| adam_bound(e, &AdamOptions::default(), MIDDLE),
        cost: |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols),
    },
    Update {
        name: "adam",
        variant: "step 20000",
        slots: 2,
        rule: || Box::new(Adam { options: AdamOptions::default(), step: LATE }),
        reference: |w, g, slots| adam(w, g, slots, &AdamOptions::default(), LATE),
        bound: |e| adam_bound(e, &AdamOptions::default(), LATE),
        cost: |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols),
    },
];

const WITH_DECAY: AdamOptions =
    AdamOptions { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };

// Options whose epsilon is not negligible compared with everyday gradients. The default epsilon is lost in their roundings.
const ADAGRAD: AdaGradOptions = AdaGradOptions { learning_rate: 0.01, epsilon: 1e-3 };
const RMSPROP: RmsPropOptions = RmsPropOptions { learning_rate: 0.01, decay: 0.9, epsilon: 1e-3 };

fn velocity(nesterov: bool) -> MomentumOptions {
    MomentumOptions { learning_rate: RATE, momentum: 0.9, nesterov }
}

fn adam(w: &mut f64, g: f64, slots: [&mut f64; 2], options: &AdamOptions, step: u64) {
    let AdamOptions { learning_rate, beta1, beta2, epsilon, weight_decay } = *options;
    reference::adam(w, g, slots, [learning_rate, beta1, beta2, epsilon, weight_decay], step as i32);
}

pub(super) fn cases(table: &mut Table) {
    for update in &UPDATES {
        for dims in all_matrices() {
            update.add(table, "", *dims, false, |rng, rows, cols| update.inputs(rng, rows, cols));
            update.add(table, "clipped, with penalties", *dims, true, |rng, rows, cols| update.inputs(rng, rows, cols));
        }
        // Without penalties such a parameter stays as it is, and the slots do not depend on it: nothing may be added for penalties
        // of 0, because 0 times infinity or NaN is NaN.
        for dims in NOT_FINITE {
            update.add(table, "parameters that are not finite", dims, false, |rng, rows, cols| {
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
        &'static self,
        table: &mut Table,
        kind: &str,
        dims: [usize; 3],
        changed: bool,
        draw: impl Fn(&mut CaseRng, usize, usize) -> Inputs + Send + Sync + 'static,
    ) {
        let parts = [self.variant, kind].into_iter().filter(|part| !part.is_empty());
        table.add(
            (self.name, &parts.collect::<Vec<_>>().join(", ")),
            dims,
            self.cost,
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
        for slot in 0..self.slots {
            let signed = self.name == "momentum" || (self.slots == 2 && slot == 0);
            let values = normal(rng, rows, cols);
            all.push(if signed { values } else { values.mapv(|x| x * x) });
        }
        if self.name == "adagrad" || self.name == "rmsprop" {
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
        ops::update((self.rule)().as_ref(), w, dw, &mut slots.iter_mut().collect::<Vec<_>>(), &penalty, scale)?;
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
            (self.reference)(w, gradient(*w, dw[at]), [&mut first, &mut second]);
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
                (self.bound)(&Element { w, gradient: gradient(w, dw), error, before, after })[output] + Bound::FLUSH
            })
        };
        let outputs = std::iter::once(&w).chain(&slots).enumerate();
        outputs.map(|(output, want)| Expected::within(&bounds(output), want.clone())).collect()
    }
}
