//! Cases for softmax_cross_entropy: every combination of its options, on every kind of row.

use ndarray::{Array2, Axis};

use super::bounds::{self, Bound};
use super::case::{CaseRng, Expected, Inputs};
use super::inputs::{Fill, losing_logits, normal, special_rows};
use super::oracle::{self, Masses};
use super::output::Output;
use super::products::biased;
use super::table::{Table, all_matrices, reference, supervised, targets};
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, CrossEntropy, Head, Reduction, Statistics};
use crate::targets::Targets;

/// One combination of options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub distributed: bool,
    pub weighted: bool,
    pub sampled: bool,
    pub ignoring: Ignoring,
    pub smoothing: f32,
    pub reduction: Reduction,
}

/// Which rows count for nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ignoring {
    None,
    /// Those of a class.
    Class,
    /// Those whose label says so.
    Marked,
}

impl Choice {
    /// Plain class ids, mean.
    pub const PLAIN: Choice = Choice {
        distributed: false,
        weighted: false,
        sampled: false,
        ignoring: Ignoring::None,
        smoothing: 0.0,
        reduction: Reduction::Mean,
    };

    /// Every combination that the contract allows.
    pub fn all() -> Vec<Choice> {
        let mut all = vec![Choice::PLAIN, Choice { distributed: true, ..Choice::PLAIN }];
        let mut vary = |change: &dyn Fn(Choice) -> Vec<Choice>| all = all.iter().flat_map(|c| change(*c)).collect();
        vary(&|c| vec![c, Choice { weighted: true, ..c }]);
        vary(&|c| vec![c, Choice { sampled: true, ..c }]);
        vary(&|c| vec![c, Choice { smoothing: 0.1, ..c }]);
        vary(&|c| [Reduction::None, Reduction::Mean, Reduction::Sum].map(|reduction| Choice { reduction, ..c }).into());
        vary(&|c| match c.distributed {
            true => vec![c],
            false => {
                [Ignoring::None, Ignoring::Class, Ignoring::Marked].map(|ignoring| Choice { ignoring, ..c }).into()
            }
        });
        all
    }

    pub fn name(&self) -> String {
        let mut name = format!("{:?} of {}", self.reduction, if self.distributed { "distributions" } else { "ids" });
        name.make_ascii_lowercase();
        for (chosen, part) in [
            (self.weighted, "weights"),
            (self.sampled, "row weights"),
            (self.ignoring == Ignoring::Class, "ignored"),
            (self.ignoring == Ignoring::Marked, "marked"),
            (self.smoothing > 0.0, "smoothed"),
        ] {
            if chosen {
                name = format!("{name}, {part}");
            }
        }
        name
    }

    /// The last class, so that the ignored one is not the class that stands for nothing.
    fn ignored(&self, cols: usize) -> Option<u32> {
        (self.ignoring == Ignoring::Class).then_some(cols as u32 - 1)
    }

    /// The weights of the classes and of the rows, which come behind the targets.
    fn weights<'a, T>(&self, m: &'a [Array2<T>]) -> [Option<&'a Array2<T>>; 2] {
        let mut behind = m.iter().skip(1 + usize::from(self.distributed));
        [self.weighted, self.sampled].map(|chosen| if chosen { behind.next() } else { None })
    }

    /// The options for the op.
    pub fn options(&self, device: &Device, inputs: &Inputs) -> Result<CrossEntropy> {
        let upload = |weights: Option<&Array2<f32>>| weights.map(|w| Matrix::from_array(device, w.view())).transpose();
        let [class_weights, sample_weights] = self.weights(&inputs.matrices);
        Ok(CrossEntropy {
            class_weights: upload(class_weights)?,
            sample_weights: upload(sample_weights)?,
            ignore_class: self.ignored(inputs.matrices[0].ncols()),
            label_smoothing: self.smoothing,
            reduction: self.reduction,
        })
    }

    /// What the rows should be.
    pub fn masses(&self, inputs: &Inputs, m: &[Array2<f64>]) -> Masses {
        let (rows, cols) = m[0].dim();
        let [class_weights, row_weights] = self.weights(m);
        let class = |r: usize| match self.distributed {
            true => oracle::argmax(&m[1].row(r).to_vec()),
            false => inputs.classes[r] as usize,
        };
        // In a mean a row counts by its own weight, and by its class's where it has one.
        let weight = |r: usize| {
            let own = row_weights.map_or(1.0, |weights| weights[[r, 0]]);
            let of_class = |weights: &Array2<f64>| if self.distributed { 1.0 } else { weights[[0, class(r)]] };
            let ignored = !self.distributed && (class(r) >= cols || self.ignored(cols) == Some(inputs.classes[r]));
            (!ignored).then(|| own * class_weights.map_or(1.0, of_class))
        };
        let weights: Vec<_> = (0..rows).map(weight).collect();
        Masses {
            q: Array2::from_shape_fn((rows, cols), |(r, c)| mass(*self, inputs, m, r, c)),
            whole: self.distributed || self.smoothing != 0.0,
            class: (0..rows).map(class).collect(),
            divisor: self.divisor(&weights),
            weights,
        }
    }

    /// What the gradients are divided by, given the rows' weights: a mean over nothing moves nothing.
    fn divisor(&self, weights: &[Option<f64>]) -> f64 {
        let divisor = if self.reduction == Reduction::Mean { weights.iter().flatten().sum() } else { 1.0 };
        if divisor == 0.0 { f64::INFINITY } else { divisor }
    }

    /// A matrix of this filling, targets, and behind them class weights between 0.5 and 2 and row weights up to 1, some of
    /// them 0.
    pub fn inputs(&self, fill: Fill, rng: &mut CaseRng, dims: [usize; 3]) -> Inputs {
        let mut inputs = supervised(fill, self.distributed, rng, dims);
        if self.weighted {
            inputs.matrices.push(normal(rng, 1, dims[1]).mapv(|x| x.tanh().exp2()));
        }
        if self.sampled {
            let mut weights = normal(rng, dims[0], 1).mapv(|x| (x.tanh() - 1.0).exp2());
            weights.iter_mut().skip(5).step_by(7).for_each(|weight| *weight = 0.0);
            if dims == NOTHING_WEIGHS {
                weights.fill(0.0);
            }
            inputs.matrices.push(weights);
        }
        if self.ignoring == Ignoring::Marked {
            inputs.classes.iter_mut().skip(1).step_by(3).for_each(|class| *class = Targets::MARK);
        }
        inputs
    }
}

/// The dims that every combination is tried on, beside the plain one on all.
pub(super) const FEW: &[[usize; 3]] = &[[23, 3, 1], [131, 10, 1], [24, 130, 1], [25, 132, 1]];

/// Rows that all have the weight 0: a mean over nothing.
const NOTHING_WEIGHS: [usize; 3] = [9, 5, 1];

pub(super) fn cases(table: &mut Table) {
    for choice in Choice::all().into_iter().filter(|choice| choice.sampled) {
        add(table, choice, ", all 0", normal, NOTHING_WEIGHS);
    }
    for dims in all_matrices() {
        add(table, Choice::PLAIN, ", sums that lose", losing_logits, *dims);
    }
    let fills: [(&str, Fill); 2] = [("", normal), (", all kinds of row", special_rows)];
    for (suffix, fill) in fills {
        let distributed = Choice { distributed: true, ..Choice::PLAIN };
        for choice in [Choice::PLAIN, distributed, Choice { smoothing: 0.1, ..Choice::PLAIN }] {
            for dims in all_matrices() {
                add(table, choice, suffix, fill, *dims);
            }
        }
        for choice in Choice::all() {
            for dims in FEW {
                add(table, choice, suffix, fill, *dims);
            }
        }
    }
}

/// Cases for linear_cross_entropy: rows, inputs, classes; few classes go through one kernel, many through two, and so does
/// every combination with weights or an ignored class.
pub(super) fn linear_cases(table: &mut Table) {
    let all = [
        [1, 2, 3],
        [5, 7, 1],
        [31, 33, 16],
        [127, 31, 15],
        [129, 3, 2],
        [300, 65, 10],
        [33, 17, 31],
        [21, 20, 4],
        [19, 12, 8],
        [37, 64, 10],
        [70, 16, 12],
    ];
    let few = [[5, 7, 1], [129, 3, 2], [300, 65, 10], [33, 17, 31]];
    for choice in Choice::all() {
        let apart = choice.weighted || choice.sampled || choice.ignoring == Ignoring::Class;
        for dims in if apart { few.as_slice() } else { &all }.iter().copied() {
            table.add(
                ("linear_cross_entropy", &choice.name()),
                dims,
                |[m, k, n]| (2 * m * k * n + 6 * m * n, 4 * (m * k + k * n + m * n + 2 * m)),
                move |rng, [m, k, n]| {
                    let mut inputs = choice.inputs(normal, rng, [m, n, 1]);
                    inputs.matrices.extend([normal(rng, m, k), normal(rng, k, n), normal(rng, 1, n)]);
                    inputs
                },
                move |device, inputs| {
                    let [x, w, b] = layer(&inputs.matrices).map(|m| Matrix::from_array(device, m.view()));
                    let y = targets(device, inputs, choice.distributed)?;
                    let options = choice.options(device, inputs)?;
                    outputs(ops::linear_cross_entropy(&x?, &w?, &b?, &y, &options)?)
                },
                move |inputs| expect_linear(choice, inputs),
            );
        }
    }
}

/// The layer's input, weights and biases: the last of the inputs.
fn layer<T>(matrices: &[Array2<T>]) -> [&Array2<T>; 3] {
    let first = matrices.len() - 3;
    [&matrices[first], &matrices[first + 1], &matrices[first + 2]]
}

/// softmax_cross_entropy's expectations of the exact logits, and what errors of the logits add to them.
fn expect_linear(choice: Choice, inputs: &Inputs) -> Vec<Expected> {
    let mut m = reference(inputs);
    let logits = {
        let [x, w, b] = layer(&m);
        biased(&[x.clone(), w.clone(), b.clone()], |sum| sum)
    };
    m[0] = logits.want;
    let mut expected = expect_of(choice, inputs, &m);
    let (probs, Masses { weights, divisor, .. }) = (oracle::softmax(&m[0]), choice.masses(inputs, &m));
    let largest = |errors: &Array2<f64>, r: usize| errors.row(r).fold(0.0, |e: f64, x| e.max(*x));
    for r in 0..m[0].nrows() {
        // Rows that do not count are exactly 0, whatever their logits.
        if weights[r].is_none() {
            continue;
        }
        let error = Bound { most: largest(&logits.bound, r), likely: largest(&logits.likely, r) };
        let total: f64 = (0..m[0].ncols()).map(|c| mass(choice, inputs, &m, r, c)).sum();
        expected[0].widen([r, 0], error * (2.0 * total));
        expected[2].widen([0, 0], error * (2.0 * total));
        for c in 0..m[0].ncols() {
            let carried = error.map(|error| (2.0 * error).exp_m1());
            expected[1].widen([r, c], carried * (probs[[r, c]] * total / divisor));
        }
        // A row whose two largest logits are this close may count as a hit or a miss.
        let top = m[0].row(r).fold(f64::NEG_INFINITY, |top, x| top.max(*x));
        let close = |error| m[0].row(r).iter().filter(|x| top - **x <= 2.0 * error).count() > 1;
        expected[2].widen([0, 2], error.map(|error| f64::from(u8::from(close(error)))));
    }
    expected
}

fn add(table: &mut Table, choice: Choice, suffix: &str, fill: Fill, dims: [usize; 3]) {
    table.add(
        ("softmax_cross_entropy", &format!("{}{suffix}", choice.name())),
        dims,
        |[rows, cols, _]| (6 * rows * cols, 8 * rows * cols + 4 * rows),
        move |rng, dims| choice.inputs(fill, rng, dims),
        move |device, inputs| run(choice, device, inputs),
        move |inputs| expect(choice, inputs),
    );
}

fn run(choice: Choice, device: &Device, inputs: &Inputs) -> Result<Vec<Output>> {
    let logits = Matrix::from_array(device, inputs.matrices[0].view())?;
    let y = targets(device, inputs, choice.distributed)?;
    let head = ops::softmax_cross_entropy(&logits, &y, &choice.options(device, inputs)?)?;
    outputs(head)
}

fn outputs(head: Head) -> Result<Vec<Output>> {
    Ok(vec![head.losses().clone().into(), head.dlogits().clone().into(), Output::Statistics(head.into_pending())])
}

pub(super) fn record(stats: &Statistics) -> Array2<f64> {
    let first_bad = stats.first_bad_row.map_or(-1.0, |row| row as f64);
    let counts = [stats.correct, stats.rows, stats.non_finite_rows].map(|count| count as f64);
    let values = [stats.loss_sum, stats.weight_sum, counts[0], counts[1], counts[2], first_bad];
    Array2::from_shape_fn((1, values.len()), |(_, c)| values[c])
}

fn expect(choice: Choice, inputs: &Inputs) -> Vec<Expected> {
    expect_of(choice, inputs, &reference(inputs))
}

fn expect_of(choice: Choice, inputs: &Inputs, m: &[Array2<f64>]) -> Vec<Expected> {
    let masses = choice.masses(inputs, m);
    let head = oracle::head(&m[0], &masses);
    let stats = statistics(&head, &masses.weights);
    let of_losses = loss_bounds(choice, inputs, m, &head.losses, &masses.weights);
    let sizes: f64 = head.losses.iter().filter(|loss| loss.is_finite()).map(|loss| loss.abs()).sum();
    let mut bound = Array2::default(stats.dim());
    let level = bounds::column_sum(masses.weights.len());
    bound[[0, 0]] = of_losses.iter().copied().sum::<Bound>() + level * sizes;
    bound[[0, 1]] = level * stats[[0, 1]];
    vec![
        Expected::within(&of_losses, head.losses),
        Expected::within(&slope_bounds(&m[0], &head.dlogits, &masses), head.dlogits),
        Expected::within(&bound, stats),
    ]
}

/// The record in f64.
fn statistics(head: &oracle::Head, weights: &[Option<f64>]) -> Array2<f64> {
    let counted: Vec<_> = (0..weights.len()).filter(|r| weights[*r].is_some()).collect();
    let bad: Vec<_> = counted.iter().filter(|r| !head.losses[[**r, 0]].is_finite()).collect();
    record(&Statistics {
        loss_sum: oracle::sum(counted.iter().map(|r| head.losses[[*r, 0]])),
        weight_sum: oracle::sum(weights.iter().flatten().copied()),
        correct: head.correct.iter().filter(|hit| **hit).count() as u64,
        rows: counted.len() as u64,
        non_finite_rows: bad.len() as u64,
        first_bad_row: bad.first().map(|row| **row as u64),
    })
}

/// q_c of row r, as the contract defines it.
pub(super) fn mass(choice: Choice, inputs: &Inputs, m: &[Array2<f64>], r: usize, c: usize) -> f64 {
    let share = match choice.distributed {
        true => m[1][[r, c]],
        false => f64::from(u8::from(inputs.classes[r] as usize == c)),
    };
    let smoothing = f64::from(choice.smoothing);
    let [weights, samples] = choice.weights(m);
    let weight = weights.map_or(1.0, |weights| weights[[0, c]]) * samples.map_or(1.0, |samples| samples[[r, 0]]);
    weight * ((1.0 - smoothing) * share + smoothing / m[0].ncols() as f64)
}

/// loss = Σ q (m - x) + Σq · ln Σ exp: each difference and product rounded, the sums with their trees, the logarithm.
fn loss_bounds(
    choice: Choice,
    inputs: &Inputs,
    m: &[Array2<f64>],
    losses: &Array2<f64>,
    weights: &[Option<f64>],
) -> Array2<Bound> {
    let (x, cols) = (&m[0], m[0].ncols());
    Array2::from_shape_fn(losses.dim(), |(r, _)| {
        if weights[r].is_none() {
            return Bound::NONE;
        }
        let top = x.row(r).fold(f64::NEG_INFINITY, |top, x| top.max(*x));
        let (mut total, mut below, mut sizes) = (0.0, 0.0, 0.0);
        for c in (0..cols).filter(|c| mass(choice, inputs, m, r, *c) != 0.0) {
            let q = mass(choice, inputs, m, r, c);
            total += q;
            below += q * (top - x[[r, c]]);
            sizes += q * x[[r, c]].abs();
        }
        let few = Bound::roundings(8.0);
        let log_sum = (bounds::log_sum(cols) + few * top.abs()) * total;
        (log_sum + few * (sizes + losses[[r, 0]].abs()) + bounds::row_sum(cols) * (below + total)).or_none()
    })
}

/// dlogits = (p Σq - q) / divisor: softmax's bound for p, the rounding of both terms, the sum of q, the divisor.
pub(super) fn slope_bounds(x: &Array2<f64>, dlogits: &Array2<f64>, masses: &Masses) -> Array2<Bound> {
    let probs = oracle::softmax(x);
    let softmax = bounds::softmax(&probs, x.view());
    let mut bound = Array2::default(x.dim());
    for (r, mut row) in bound.axis_iter_mut(Axis(0)).enumerate().filter(|(r, _)| masses.weights[*r].is_some()) {
        let total: f64 = masses.q.row(r).sum();
        for c in 0..x.ncols() {
            let (p, q) = (probs[[r, c]], masses.q[[r, c]]);
            let terms = Bound::roundings(8.0) * (p * total + q) + bounds::row_sum(x.ncols()) * (p * total);
            let divided = bounds::column_sum(x.nrows()) * dlogits[[r, c]].abs();
            row[c] = ((softmax[[r, c]] * total + terms) * masses.divisor.recip() + divided).or_none();
        }
    }
    bound
}
