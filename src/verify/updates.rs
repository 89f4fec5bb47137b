//! Cases for the update rules, as they are and with clipped gradients and penalties, and for `clip_scale`.

use ndarray::{Array2, array};

use super::bounds::{Bound, U};
use super::case::{CaseRng, Expected, Inputs};
use super::inputs::{Fill, normal, special_rows};
use super::oracle::{self, steps};
use super::output::Output;
use super::table::{Cost, Table, all_matrices, matrices, reference, uploaded};
use crate::matrix::Matrix;
use crate::ops::{self, AdaGradOptions, Adam, AdamOptions, MomentumOptions, RmsPropOptions, Rule, Sgd};
use crate::options::PenaltyRates;

const RATE: f64 = 0.1;
/// The steps that Adam's cases take: where the corrections of its means are large; where that of the squares still changes them,
/// by a factor of 1.6, and that of the gradients is 1 in f32; and where both are next to nothing.
const EARLY: u64 = 3;
const MIDDLE: u64 = 1000;
const LATE: u64 = 20_000;
/// What the changed cases multiply the gradients by, and their penalties.
const SCALE: f32 = 0.3;
const PULL: PenaltyRates = PenaltyRates { l1: 0.2, l2: 0.05 };

/// One element before and after a step: its gradient and that one's error, what the rule keeps, and the parameter.
struct Element {
    w: f64,
    slope: f64,
    error: Bound,
    before: [f64; 2],
    after: [f64; 2],
}

/// A rule with everything that its cases need.
struct Update {
    name: &'static str,
    variant: &'static str,
    /// Matrices that it keeps.
    slots: usize,
    rule: fn() -> Box<dyn Rule>,
    /// One parameter's step: itself, its slope, and what is kept of it.
    twin: fn(&mut f64, f64, [&mut f64; 2]),
    /// How far parameter and slots may be off.
    bound: fn(&Element) -> [Bound; 3],
    cost: Cost,
}

const UPDATES: [Update; 9] = [
    Update {
        name: "sgd",
        variant: "",
        slots: 0,
        rule: || Box::new(Sgd { learning_rate: RATE }),
        twin: |w, slope, _| steps::sgd(w, slope, RATE),
        bound: |e| {
            let taken = e.error + Bound::roundings(4.0) * e.slope.abs();
            [Bound::roundings(2.0) * e.w.abs() + taken * RATE, Bound::NONE, Bound::NONE]
        },
        cost: |[rows, cols, _]| (2 * rows * cols, 12 * rows * cols),
    },
    Update {
        name: "momentum",
        variant: "",
        slots: 1,
        rule: || Box::new(velocity(false)),
        twin: |w, slope, [v, _]| steps::momentum(w, slope, v, [RATE, 0.9], false),
        bound: |e| momentum_bound(e, false),
        cost: |[rows, cols, _]| (4 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "momentum",
        variant: "Nesterov",
        slots: 1,
        rule: || Box::new(velocity(true)),
        twin: |w, slope, [v, _]| steps::momentum(w, slope, v, [RATE, 0.9], true),
        bound: |e| momentum_bound(e, true),
        cost: |[rows, cols, _]| (6 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "adagrad",
        variant: "",
        slots: 1,
        rule: || Box::new(AdaGradOptions::default()),
        twin: |w, slope, [s, _]| {
            let AdaGradOptions { learning_rate, epsilon } = AdaGradOptions::default();
            steps::adagrad(w, slope, s, [learning_rate, epsilon]);
        },
        bound: |e| {
            let AdaGradOptions { learning_rate, epsilon } = AdaGradOptions::default();
            let squares = Bound::roundings(4.0) * e.after[0] + carried(e);
            [quotient_bound(e, learning_rate, epsilon), squares, Bound::NONE]
        },
        cost: |[rows, cols, _]| (6 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "rmsprop",
        variant: "",
        slots: 1,
        rule: || Box::new(RmsPropOptions::default()),
        twin: |w, slope, [s, _]| {
            let RmsPropOptions { learning_rate, decay, epsilon } = RmsPropOptions::default();
            steps::rmsprop(w, slope, s, [learning_rate, decay, epsilon]);
        },
        bound: |e| {
            let RmsPropOptions { learning_rate, decay, epsilon } = RmsPropOptions::default();
            let squares = Bound::roundings(6.0) * e.after[0] + carried(e) * (1.0 - decay);
            [quotient_bound(e, learning_rate, epsilon), squares, Bound::NONE]
        },
        cost: |[rows, cols, _]| (8 * rows * cols, 20 * rows * cols),
    },
    Update {
        name: "adam",
        variant: "step 3",
        slots: 2,
        rule: || Box::new(Adam { options: AdamOptions::default(), step: EARLY }),
        twin: |w, slope, kept| adam(w, slope, kept, &AdamOptions::default(), EARLY),
        bound: |e| adam_bound(e, &AdamOptions::default(), EARLY),
        cost: |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols),
    },
    Update {
        name: "adam",
        variant: "step 3, weight decay",
        slots: 2,
        rule: || Box::new(Adam { options: DECAYED, step: EARLY }),
        twin: |w, slope, kept| adam(w, slope, kept, &DECAYED, EARLY),
        bound: |e| adam_bound(e, &DECAYED, EARLY),
        cost: |[rows, cols, _]| (13 * rows * cols, 28 * rows * cols),
    },
    Update {
        name: "adam",
        variant: "step 1000",
        slots: 2,
        rule: || Box::new(Adam { options: AdamOptions::default(), step: MIDDLE }),
        twin: |w, slope, kept| adam(w, slope, kept, &AdamOptions::default(), MIDDLE),
        bound: |e| adam_bound(e, &AdamOptions::default(), MIDDLE),
        cost: |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols),
    },
    Update {
        name: "adam",
        variant: "step 20000",
        slots: 2,
        rule: || Box::new(Adam { options: AdamOptions::default(), step: LATE }),
        twin: |w, slope, kept| adam(w, slope, kept, &AdamOptions::default(), LATE),
        bound: |e| adam_bound(e, &AdamOptions::default(), LATE),
        cost: |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols),
    },
];

const DECAYED: AdamOptions =
    AdamOptions { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };

fn velocity(nesterov: bool) -> MomentumOptions {
    MomentumOptions { learning_rate: RATE, momentum: 0.9, nesterov }
}

fn adam(w: &mut f64, slope: f64, kept: [&mut f64; 2], options: &AdamOptions, step: u64) {
    let AdamOptions { learning_rate, beta1, beta2, epsilon, weight_decay } = *options;
    steps::adam(w, slope, kept, [learning_rate, beta1, beta2, epsilon, weight_decay], step as i32);
}

/// What the gradient's error makes of its square.
fn carried(e: &Element) -> Bound {
    e.error.map(|error| 3.0 * e.slope.abs() * error + error * error)
}

/// μ rounded, two products and sums at most, each line's error carried through the next.
fn momentum_bound(e: &Element, nesterov: bool) -> [Bound; 3] {
    let MomentumOptions { learning_rate, momentum, .. } = velocity(nesterov);
    let (slope, fast) = (e.slope.abs(), momentum * e.after[0].abs());
    let few = Bound::roundings(4.0);
    let kept = e.error + few * (momentum * e.before[0].abs() + slope);
    let (direction, error) = match nesterov {
        true => (e.slope + momentum * e.after[0], e.error + kept * momentum + few * (slope + fast)),
        false => (e.after[0], kept),
    };
    [Bound::roundings(2.0) * e.w.abs() + (error + few * direction.abs()) * learning_rate, kept, Bound::NONE]
}

/// η g / (√s + ε): the root is off by 5u, the quotient by 2.5u, sums, products and constants by u / 2 each. The gradient's
/// error counts once by itself and at most once through s, which is no less than what g² adds to it.
fn quotient_bound(e: &Element, learning_rate: f64, epsilon: f64) -> Bound {
    let factor = learning_rate / (e.after[0].sqrt() + epsilon);
    let quotient = Bound::one(5.0 * U) + Bound::one(2.5 * U) + Bound::roundings(9.0);
    Bound::roundings(2.0) * e.w.abs() + (quotient * e.slope.abs() + e.error * 3.0) * factor
}

fn adam_bound(e: &Element, options: &AdamOptions, step: u64) -> [Bound; 3] {
    let AdamOptions { learning_rate, beta1, beta2, epsilon, weight_decay } = *options;
    let unbias = |beta: f64| 1.0 / (1.0 - beta.powf(step as f64));
    let (rest1, rest2) = (1.0 - beta1, 1.0 - beta2);
    let [mean, square] = e.after;
    let roundings = Bound::roundings(if weight_decay == 0.0 { 2.0 } else { 4.0 });
    let kept = roundings * ((1.0 - learning_rate * weight_decay) * e.w.abs());
    let factor = learning_rate * unbias(beta1) / ((square * unbias(beta2)).sqrt() + epsilon);
    let m = Bound::roundings(8.0) * ((beta1 * e.before[0]).abs() + (rest1 * e.slope).abs()) + e.error * rest1;
    let v = Bound::roundings(12.0) * square + carried(e) * rest2;
    // The root of v is off by half of what v is, relatively; root, quotient and all that is rounded by 16u.
    let through_v = if square > 0.0 { carried(e) * (rest2 / square) } else { Bound::NONE };
    let quotient = Bound::one(5.0 * U) + Bound::one(2.5 * U) + Bound::roundings(17.0);
    [kept + (m + (quotient + through_v) * mean.abs()) * factor, m, v]
}

impl Update {
    /// Parameters (some of them 0), gradients, and what is kept: squares where the rule keeps squares.
    fn inputs(&self, rng: &mut CaseRng, rows: usize, cols: usize) -> Inputs {
        let mut w = normal(rng, rows, cols);
        w.iter_mut().step_by(7).for_each(|w| *w = 0.0);
        let mut all = vec![w, normal(rng, rows, cols)];
        for slot in 0..self.slots {
            let signed = self.name == "momentum" || (self.slots == 2 && slot == 0);
            let kept = normal(rng, rows, cols);
            all.push(if signed { kept } else { kept.mapv(|x| x * x) });
        }
        if self.name == "adagrad" {
            // Where nothing has ever moved, epsilon alone keeps 0 / 0 away.
            for matrix in &mut all[1..] {
                matrix.iter_mut().step_by(11).for_each(|x| *x = 0.0);
            }
        }
        Inputs { matrices: all, ..Default::default() }
    }

    fn expected(&self, inputs: &Inputs, changed: bool) -> Vec<Expected> {
        let mut all = reference(inputs);
        let mut kept = all.split_off(2);
        let (Some(dw), Some(mut w)) = (all.pop(), all.pop()) else { return Vec::new() };
        let (before, kept_before) = (w.clone(), kept.clone());
        let (scale, pull) = if changed { (SCALE.into(), PULL) } else { (1.0, PenaltyRates::default()) };
        let slope = |w: f64, dw: f64| oracle::slope(w, dw, scale, [pull.l1, pull.l2]);
        for (at, w) in w.indexed_iter_mut() {
            let (mut first, mut second) = (0.0, 0.0);
            let mut slots = [&mut first, &mut second];
            for (slot, kept) in slots.iter_mut().zip(&kept) {
                **slot = kept[at];
            }
            (self.twin)(w, slope(*w, dw[at]), slots);
            for (slot, kept) in [first, second].into_iter().zip(&mut kept) {
                kept[at] = slot;
            }
        }
        let bounds = |output: usize| {
            Array2::from_shape_fn(w.dim(), |at| {
                let (w, dw) = (before[at], dw[at]);
                // Three constants, two products and two sums.
                let size = (scale * dw).abs() + pull.l1 + 2.0 * pull.l2 * w.abs();
                let error = if changed { Bound::roundings(4.0) * size } else { Bound::NONE };
                let of = |kept: &[Array2<f64>]| [0, 1].map(|slot| kept.get(slot).map_or(0.0, |kept| kept[at]));
                let (before, after) = (of(&kept_before), of(&kept));
                let element = Element { w, slope: slope(w, dw), error, before, after };
                (self.bound)(&element)[output] + Bound::FLUSH
            })
        };
        let outputs = std::iter::once(&w).chain(&kept).enumerate();
        outputs.map(|(output, want)| Expected::within(&bounds(output), want.clone())).collect()
    }
}

impl Table {
    pub(super) fn updates(&mut self) {
        for update in &UPDATES {
            self.update(update, false);
            self.update(update, true);
        }
        self.clip_scale("above the limit", [normal; 2], 0.5);
        self.clip_scale("below the limit", [normal; 2], 1e6);
        self.clip_scale("all kinds of row", [special_rows, normal], 2.0);
        // So small that the epsilon beside the norm shows.
        let small: Fill = |rng, rows, cols| normal(rng, rows, cols).mapv(|x| 1e-4 * x);
        self.clip_scale("small gradients", [small; 2], 1e-5);
    }

    fn update(&mut self, update: &'static Update, changed: bool) {
        let parts = [update.variant, if changed { "clipped, with penalties" } else { "" }];
        let variant = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        for dims in all_matrices() {
            self.add(
                (update.name, &variant),
                *dims,
                update.cost,
                |rng, [rows, cols, _]| update.inputs(rng, rows, cols),
                move |device, inputs| {
                    let mut m = uploaded(device, inputs)?;
                    let scale = Matrix::from_array(device, array![[SCALE]].view())?;
                    let scale = Some(&scale).filter(|_| changed);
                    let pull = if changed { PULL } else { PenaltyRates::default() };
                    let [w, dw, kept @ ..] = m.as_mut_slice() else { return Ok(Vec::new()) };
                    let mut slots: Vec<_> = kept.iter_mut().collect();
                    ops::update((update.rule)().as_ref(), w, dw, &mut slots, &pull, scale)?;
                    Ok(std::iter::once(&*w).chain(&*kept).cloned().map(Output::from).collect())
                },
                move |inputs| update.expected(inputs, changed),
            );
        }
    }

    /// Of two matrices together.
    fn clip_scale(&mut self, variant: &str, fills: [Fill; 2], limit: f64) {
        for dims in all_matrices() {
            self.add(
                ("clip_scale", variant),
                *dims,
                |[rows, cols, _]| (2 * (rows * cols + cols), 4 * (rows * cols + cols)),
                move |rng, [rows, cols, _]| matrices([fills[0](rng, rows, cols), fills[1](rng, 1, cols)]),
                move |device, inputs| {
                    let gradients = uploaded(device, inputs)?;
                    let gradients: Vec<_> = gradients.iter().collect();
                    Ok(vec![ops::clip_scale(&gradients, limit)?.into()])
                },
                move |inputs| {
                    let gradients = reference(inputs);
                    let want = oracle::clip_scale(&gradients, limit);
                    // A thread adds every 2¹⁷th value at most; trees, root and quotient the rest.
                    let terms: usize = gradients.iter().map(Array2::len).sum();
                    let bound = Bound::roundings(40.0 + terms as f64 / f64::from(1 << 16)) * want + Bound::FLUSH;
                    vec![Expected::within(&array![[bound]], array![[want]])]
                },
            );
        }
    }
}
