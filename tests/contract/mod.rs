//! The whole contract of cross-entropy, compared with PyTorch's formulas, which are written here again in f64, with gradients
//! by central differences.

use ndarray::{Array2, array};
use wgpu_mlp::ops::{self, CrossEntropy, Reduction};
use wgpu_mlp::{Device, Matrix, Result, Targets};

const ROWS: usize = 6;
const CLASSES: usize = 4;
const STEP: f64 = 1e-5;
/// f32's rounding over a handful of terms of size 1 to 10.
const CLOSE: f64 = 2e-5;

/// One combination of options, with everything in f64.
#[derive(Clone, Debug)]
struct Choice {
    labels: Vec<i64>,
    shares: Option<Array2<f64>>,
    class_weights: Option<Vec<f64>>,
    sample_weights: Option<Vec<f64>>,
    ignored: Option<u32>,
    smoothing: f64,
    reduction: Reduction,
}

fn shares() -> Array2<f64> {
    array![
        [0.25, 0.25, 0.5, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.5, 0.5, 0.5, 0.5], // not a sum of one
        [0.125, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.25, 0.75],
        [0.0; 4],
    ]
}

/// The cross product.
fn choices() -> Vec<Choice> {
    let mut all = Vec::new();
    let plain = vec![0, 3, 1, 2, 1, 3];
    let marked = vec![0, -100, 1, 2, -100, 3];
    let kinds = [
        (plain.clone(), None, None),
        (plain.clone(), None, Some(1)),
        (marked.clone(), None, None),
        (marked, None, Some(3)),
        (plain, Some(shares()), None),
    ];
    for (labels, shares, ignored) in kinds {
        for class_weights in [None, Some(vec![0.5, 2.0, 1.0, 0.25])] {
            for sample_weights in [None, Some(vec![1.0, 0.5, 2.0, 0.0, 4.0, 0.25])] {
                for smoothing in [0.0, 0.25, 1.0] {
                    for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
                        let (class_weights, sample_weights) = (class_weights.clone(), sample_weights.clone());
                        let (labels, shares) = (labels.clone(), shares.clone());
                        all.push(Choice {
                            labels,
                            shares,
                            class_weights,
                            sample_weights,
                            ignored,
                            smoothing,
                            reduction,
                        });
                    }
                }
            }
        }
    }
    all
}

impl Choice {
    fn counts(&self, row: usize) -> bool {
        self.shares.is_some() || (self.labels[row] != -100 && Some(self.labels[row] as u32) != self.ignored)
    }

    /// PyTorch's l_n, times the row's own weight, given ln p.
    fn losses(&self, log_probs: &Array2<f64>) -> Vec<f64> {
        let class_weight = |c: usize| self.class_weights.as_ref().map_or(1.0, |w| w[c]);
        let loss = |row: usize| {
            if !self.counts(row) {
                return 0.0;
            }
            let spread: f64 = (0..CLASSES).map(|c| -class_weight(c) * log_probs[[row, c]]).sum();
            let own = match &self.shares {
                Some(shares) => (0..CLASSES).map(|c| -class_weight(c) * shares[[row, c]] * log_probs[[row, c]]).sum(),
                None => -class_weight(self.labels[row] as usize) * log_probs[[row, self.labels[row] as usize]],
            };
            let loss = (1.0 - self.smoothing) * own + self.smoothing / CLASSES as f64 * spread;
            self.sample_weights.as_ref().map_or(1.0, |v| v[row]) * loss
        };
        (0..ROWS).map(loss).collect()
    }

    /// The divisor of a mean.
    fn weight_sum(&self) -> f64 {
        let weight = |row: usize| {
            let own = self.sample_weights.as_ref().map_or(1.0, |v| v[row]);
            match (&self.shares, &self.class_weights) {
                (None, Some(weights)) => own * weights[self.labels[row] as usize],
                _ => own,
            }
        };
        (0..ROWS).filter(|row| self.counts(*row)).map(weight).sum()
    }

    /// The number whose gradient is computed. Rows do not affect each other, so for `None` it can be their sum.
    fn loss(&self, log_probs: &Array2<f64>) -> f64 {
        let sum: f64 = self.losses(log_probs).iter().sum();
        if self.reduction == Reduction::Mean { sum / self.weight_sum() } else { sum }
    }

    fn gradient(&self, x: &Array2<f64>, log_probs: impl Fn(&Array2<f64>) -> Array2<f64>) -> Array2<f64> {
        Array2::from_shape_fn(x.dim(), |at| {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[at] += by;
                self.loss(&log_probs(&x))
            };
            (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
        })
    }

    fn targets(&self, device: &Device) -> Result<Targets> {
        match &self.shares {
            Some(shares) => Targets::distributions(device, shares.mapv(|share| share as f32).view()),
            None => Targets::classes(device, &self.labels, CLASSES),
        }
    }

    fn options(&self, device: &Device) -> Result<CrossEntropy> {
        let matrix = |weights: &Option<Vec<f64>>, rows: usize, cols: usize| {
            let values = weights.as_ref().map(|weights| weights.iter().map(|w| *w as f32).collect::<Vec<_>>());
            values.map(|values| Matrix::from_slice(device, rows, cols, &values)).transpose()
        };
        Ok(CrossEntropy {
            class_weights: matrix(&self.class_weights, 1, CLASSES)?,
            sample_weights: matrix(&self.sample_weights, ROWS, 1)?,
            ignore_index: self.ignored,
            label_smoothing: self.smoothing as f32,
            reduction: self.reduction,
        })
    }
}

fn logits() -> Array2<f64> {
    Array2::from_shape_fn((ROWS, CLASSES), |(r, c)| f64::from((((r * 7 + c * 5) % 11) as f32 - 5.0) * 0.5))
}

fn log_softmax(x: &Array2<f64>) -> Array2<f64> {
    let mut out = x.clone();
    for mut row in out.rows_mut() {
        let log_sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        row.mapv_inplace(|x| x - log_sum);
    }
    out
}

fn close(what: &str, choice: &Choice, got: &Array2<f32>, want: &Array2<f64>) -> Result<(), String> {
    let far = |at: &(usize, usize)| {
        let error = (f64::from(got[*at]) - want[*at]).abs();
        error.is_nan() || error > CLOSE * (1.0 + want[*at].abs())
    };
    match want.indexed_iter().map(|(at, _)| at).find(far) {
        Some(at) => Err(format!("{what} at {at:?}: got {}, want {}; {choice:?}", got[at], want[at])),
        None => Ok(()),
    }
}

/// Every combination of weights, ignored rows, smoothing, reduction and kind of target, forward and backward, through the
/// logits and through the probabilities.
pub fn every_combination(device: &Device) -> Result<(), String> {
    let words = |error: wgpu_mlp::Error| error.to_string();
    let all = choices();
    assert_eq!(all.len(), 5 * 2 * 2 * 3 * 3);
    for choice in &all {
        one(device, choice).map_err(words)??;
    }
    Ok(())
}

fn one(device: &Device, choice: &Choice) -> Result<Result<(), String>> {
    let (targets, options) = (choice.targets(device)?, choice.options(device)?);
    let x = logits();
    let column = |losses: Vec<f64>| Array2::from_shape_fn((ROWS, 1), |(r, _)| losses[r]);

    let on_device = Matrix::from_array(device, x.mapv(|x| x as f32).view())?;
    let head = ops::softmax_cross_entropy(&on_device, &targets, &options)?;
    let (losses, dlogits, stats) = (head.losses().to_array()?, head.dlogits().to_array()?, head.stats()?);
    let log_probs = log_softmax(&x);
    let want = choice.losses(&log_probs);
    let counted = (0..ROWS).filter(|row| choice.counts(*row)).count() as u64;
    let mean = want.iter().sum::<f64>() / choice.weight_sum();
    let got = stats.mean_loss();
    if (got - mean).abs() > CLOSE * (1.0 + mean.abs()) || stats.rows != counted {
        return Ok(Err(format!("mean {got}, want {mean}; {} rows, want {counted}; {choice:?}", stats.rows)));
    }

    let probs = log_probs.mapv(f64::exp);
    let on_device = Matrix::from_array(device, probs.mapv(|p| p as f32).view())?;
    let nll = ops::nll_with(&on_device, &targets, &options)?.to_array()?;
    let dprobs = ops::nll_backward_with(&on_device, &targets, &options)?.to_array()?;
    let ln = |p: &Array2<f64>| p.mapv(f64::ln);
    Ok(close("losses", choice, &losses, &column(want.clone()))
        .and_then(|()| close("dlogits", choice, &dlogits, &choice.gradient(&x, log_softmax)))
        .and_then(|()| close("nll", choice, &nll, &column(want)))
        .and_then(|()| close("dprobs", choice, &dprobs, &choice.gradient(&probs, ln))))
}

/// A mean over no rows is NaN, and its gradients are 0.
pub fn mean_over_nothing(device: &Device) -> Result<()> {
    let logits = Matrix::from_slice(device, 2, 3, &[1.0, 2.0, 0.5, -1.0, 0.0, 3.0])?;
    let probs = ops::softmax(&logits)?;
    let zeros = |rows, cols| Matrix::zeros(device, rows, cols).map(Some);
    let plain = CrossEntropy::default;
    let marked = Targets::classes(device, &[-100i8, -100], 3)?;
    let ids = Targets::classes(device, &[2, 2], 3)?;
    let cases = [
        (&marked, plain(), 0),
        (&marked, CrossEntropy { label_smoothing: 0.5, ..plain() }, 0),
        (&ids, CrossEntropy { ignore_index: Some(2), ..plain() }, 0),
        (&ids, CrossEntropy { sample_weights: zeros(2, 1)?, ..plain() }, 2),
        (&ids, CrossEntropy { class_weights: zeros(1, 3)?, ..plain() }, 2),
    ];
    for (targets, options, rows) in cases {
        let head = ops::softmax_cross_entropy(&logits, targets, &options)?;
        let stats = head.stats()?;
        assert!(stats.mean_loss().is_nan() && stats.rows == rows && stats.non_finite_rows == 0, "{stats:?}");
        assert_eq!(head.losses().to_array()?.sum(), 0.0, "{options:?}");
        for gradient in [head.dlogits(), &ops::nll_backward_with(&probs, targets, &options)?] {
            assert!(gradient.to_array()?.iter().all(|slope| *slope == 0.0), "{options:?}");
        }
        assert_eq!(ops::nll_with(&probs, targets, &options)?.to_array()?.sum(), 0.0, "{options:?}");
    }
    assert!(ops::accuracy(&logits, &marked)?.is_nan());
    let w = Matrix::zeros(device, 3, 3)?;
    let head = ops::linear_cross_entropy(&logits, &w, &Matrix::zeros(device, 1, 3)?, &marked, &plain())?;
    assert_eq!(head.dlogits().to_array()?.sum(), 0.0);
    Ok(())
}

/// A class that a logit of -inf rules out adds nothing to the loss if its share or its weight is 0. If both are above 0, the
/// loss is infinite; smoothing gives every class a share. The gradient is finite in each case.
pub fn ruled_out(device: &Device) -> Result<()> {
    let logits = Matrix::from_slice(device, 1, 3, &[f32::NEG_INFINITY, 0.0, 0.0])?;
    let (x, w) = (Matrix::zeros(device, 1, 2)?, Matrix::zeros(device, 2, 3)?);
    let shares = |values: [f32; 3]| Targets::distributions(device, Array2::from(vec![values]).view());
    let id = |class: u8| Targets::classes(device, &[class], 3);
    let plain = CrossEntropy { reduction: Reduction::Sum, ..Default::default() };
    let weights = Some(Matrix::from_slice(device, 1, 3, &[0.0, 1.0, 1.0])?);
    let weighted = CrossEntropy { class_weights: weights, ..plain.clone() };
    let smoothed = CrossEntropy { label_smoothing: 0.25, ..plain.clone() };
    let cases = [
        (id(1)?, &plain, std::f32::consts::LN_2),
        (id(0)?, &plain, f32::INFINITY),
        (id(0)?, &weighted, 0.0),
        (id(1)?, &smoothed, f32::INFINITY),
        (shares([0.0, 0.5, 0.5])?, &plain, std::f32::consts::LN_2),
        (shares([0.5, 0.5, 0.0])?, &plain, f32::INFINITY),
        (shares([0.5, 0.5, 0.0])?, &weighted, 0.5 * std::f32::consts::LN_2),
        (shares([0.0, 0.5, 0.5])?, &smoothed, f32::INFINITY),
    ];
    for (targets, options, wanted) in &cases {
        // With a bias of -inf the last layer gives these logits.
        let layer = ops::linear_cross_entropy(&x, &w, &logits, targets, options)?;
        for head in [ops::softmax_cross_entropy(&logits, targets, options)?, layer] {
            let loss = head.losses().to_array()?[[0, 0]];
            let near = if wanted.is_infinite() { loss == *wanted } else { (loss - wanted).abs() < 1e-5 };
            assert!(near, "{targets:?}, {options:?}: {loss}, not {wanted}");
            assert!(head.dlogits().to_array()?.iter().all(|slope| slope.is_finite()), "{targets:?}, {options:?}");
            assert_eq!(head.stats()?.non_finite_rows, u64::from(wanted.is_infinite()), "{targets:?}, {options:?}");
        }
    }
    Ok(())
}
