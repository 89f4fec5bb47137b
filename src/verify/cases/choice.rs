//! Combinations of a loss's options, shared by the cases of all losses.

use ndarray::Array2;

use crate::cpu::reference::{self, LossTargets};
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{CrossEntropy, Reduction};
use crate::targets::Targets;
use crate::verify::bounds::{self, Bound, U};
use crate::verify::inputs::{CaseRng, Fill, Inputs, mark_rows, normal, supervised};
use crate::verify::operands::targets;

/// The dims on which every choice is tried. The plain choice is tried on all dims.
pub(super) const FEW: &[[usize; 3]] = &[[23, 3, 1], [131, 10, 1], [24, 130, 1], [25, 132, 1]];

/// The dims of cases in which all rows have the weight 0, so that the mean has the divisor 0.
pub(super) const ALL_WEIGHTS_ZERO: [usize; 3] = [9, 5, 1];

/// One choice of a loss's options.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossChoice {
    /// Whether targets are distributions, else class ids.
    pub distributions: bool,
    pub class_weights: bool,
    pub row_weights: bool,
    pub ignored: Ignored,
    pub smoothing: f32,
    pub reduction: Reduction,
}

/// Rows that are ignored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ignored {
    None,
    /// Rows of a class.
    Class,
    /// Rows whose label is the mark -100.
    Marked,
}

impl LossChoice {
    /// Class ids and the mean, with no other option.
    pub const PLAIN: LossChoice = LossChoice {
        distributions: false,
        class_weights: false,
        row_weights: false,
        ignored: Ignored::None,
        smoothing: 0.0,
        reduction: Reduction::Mean,
    };

    /// Every choice that the ops accept.
    pub fn all() -> Vec<LossChoice> {
        let mut all = vec![LossChoice::PLAIN, LossChoice { distributions: true, ..LossChoice::PLAIN }];
        let mut vary = |change: &dyn Fn(LossChoice) -> Vec<LossChoice>| {
            all = all.iter().flat_map(|choice| change(*choice)).collect();
        };
        vary(&|c| vec![c, LossChoice { class_weights: true, ..c }]);
        vary(&|c| vec![c, LossChoice { row_weights: true, ..c }]);
        vary(&|c| vec![c, LossChoice { smoothing: 0.1, ..c }]);
        let reductions = [Reduction::None, Reduction::Mean, Reduction::Sum];
        vary(&|c| reductions.map(|reduction| LossChoice { reduction, ..c }).into());
        let ignored = [Ignored::None, Ignored::Class, Ignored::Marked];
        vary(&|c| if c.distributions { vec![c] } else { ignored.map(|ignored| LossChoice { ignored, ..c }).into() });
        all
    }

    /// The choice as reports print it.
    pub fn name(&self) -> String {
        let mut name = format!("{:?} of {}", self.reduction, if self.distributions { "distributions" } else { "ids" });
        name.make_ascii_lowercase();
        for (chosen, part) in [
            (self.class_weights, "weights"),
            (self.row_weights, "row weights"),
            (self.ignored == Ignored::Class, "ignored"),
            (self.ignored == Ignored::Marked, "marked"),
            (self.smoothing > 0.0, "smoothed"),
        ] {
            if chosen {
                name = format!("{name}, {part}");
            }
        }
        name
    }

    /// Inputs: a matrix with this filling, targets, and behind them class weights between 0.5 and 2 and row weights up to 1,
    /// some of them 0.
    pub fn inputs(&self, fill: Fill, rng: &mut CaseRng, dims: [usize; 3]) -> Inputs {
        let mut inputs = supervised(fill, self.distributions, rng, dims);
        if self.class_weights {
            inputs.matrices.push(normal(rng, 1, dims[1]).mapv(|x| x.tanh().exp2()));
        }
        if self.row_weights {
            let mut weights = normal(rng, dims[0], 1).mapv(|x| (x.tanh() - 1.0).exp2());
            weights.iter_mut().skip(5).step_by(7).for_each(|weight| *weight = 0.0);
            if dims == ALL_WEIGHTS_ZERO {
                weights.fill(0.0);
            }
            inputs.matrices.push(weights);
        }
        if self.ignored == Ignored::Marked {
            mark_rows(&mut inputs.classes);
        }
        inputs
    }

    /// The op's arguments on the device: the matrix, the targets and the options.
    pub fn arguments(&self, device: &Device, inputs: &Inputs) -> Result<(Matrix, Targets, CrossEntropy)> {
        let upload = |weights: Option<&Array2<f32>>| weights.map(|w| Matrix::from_array(device, w.view())).transpose();
        let [class_weights, sample_weights] = self.weights(&inputs.matrices);
        let x = &inputs.matrices[0];
        let options = CrossEntropy {
            class_weights: upload(class_weights)?,
            sample_weights: upload(sample_weights)?,
            ignore_index: self.ignored_class(x.ncols()),
            label_smoothing: self.smoothing,
            reduction: self.reduction,
        };
        Ok((Matrix::from_array(device, x.view())?, targets(device, inputs, self.distributions)?, options))
    }

    /// The targets for the reference; `m` are the matrices of the inputs in f64.
    pub fn loss_targets(&self, inputs: &Inputs, m: &[Array2<f64>]) -> LossTargets {
        let (rows, cols) = m[0].dim();
        let [class_weights, row_weights] = self.weights(m);
        let class = |r: usize| match self.distributions {
            true => reference::argmax(&m[1].row(r).to_vec()),
            false => inputs.classes[r] as usize,
        };
        // In a mean a row counts with its own weight, times the weight of its class if it has a class.
        let weight = |r: usize| {
            let own = row_weights.map_or(1.0, |weights| weights[[r, 0]]);
            let of_class = |weights: &Array2<f64>| if self.distributions { 1.0 } else { weights[[0, class(r)]] };
            let ignored =
                !self.distributions && (class(r) >= cols || self.ignored_class(cols) == Some(inputs.classes[r]));
            (!ignored).then(|| own * class_weights.map_or(1.0, of_class))
        };
        let mass = |(r, c)| {
            let share = match self.distributions {
                true => m[1][[r, c]],
                false => f64::from(u8::from(inputs.classes[r] as usize == c)),
            };
            let weight = class_weights.map_or(1.0, |w| w[[0, c]]) * row_weights.map_or(1.0, |w| w[[r, 0]]);
            reference::mass(share, self.smoothing.into(), cols, weight)
        };
        let weights: Vec<_> = (0..rows).map(weight).collect();
        LossTargets {
            q: Array2::from_shape_fn((rows, cols), mass),
            all_classes: self.distributions || self.smoothing != 0.0,
            class: (0..rows).map(class).collect(),
            divisor: reference::divisor(self.reduction == Reduction::Mean, &weights),
            weights,
        }
    }

    /// The relative bound of a mass: the roundings of 1 - s, of its product with the share, and of the sum with s / C, and those of
    /// the products with the weights of class and row.
    pub fn mass_bound(&self) -> Bound {
        let of_smoothing = if self.smoothing > 0.0 { 3.0 } else { 0.0 };
        let weights = [self.class_weights, self.row_weights].iter().filter(|chosen| **chosen).count();
        Bound::roundings(of_smoothing + weights as f64)
    }

    /// The relative bound of the division of a gradient by the divisor. A number of rows that the host knows becomes a factor, which
    /// is rounded. A sum of weights has the error of its products and additions; sums of zeros and ones are exact.
    pub fn divided_bound(&self, targets: &LossTargets) -> Bound {
        if self.reduction != Reduction::Mean {
            return Bound::NONE;
        }
        if !self.class_weights && !self.row_weights && self.ignored != Ignored::Class {
            return Bound::roundings(2.0);
        }
        // A quotient, or an inverse and a product.
        let quotient = Bound::one(2.5 * U) + Bound::roundings(1.0);
        match targets.weights.iter().flatten().all(|weight| *weight == 0.0 || *weight == 1.0) {
            true => quotient,
            false => quotient + Bound::roundings(1.0) + bounds::column_sum(targets.weights.len()),
        }
    }

    /// The class whose rows are ignored. It is the last class, since a field that was never set would be 0.
    fn ignored_class(&self, cols: usize) -> Option<u32> {
        (self.ignored == Ignored::Class).then_some(cols as u32 - 1)
    }

    /// The weights of the classes and of the rows, which come behind the targets.
    fn weights<'a, T>(&self, m: &'a [Array2<T>]) -> [Option<&'a Array2<T>>; 2] {
        let mut behind = m.iter().skip(1 + usize::from(self.distributions));
        [self.class_weights, self.row_weights].map(|chosen| if chosen { behind.next() } else { None })
    }
}
