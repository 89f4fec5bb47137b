//! Values with errors. Every operation carries the errors of its operands to its result and adds its own bound (Wilkinson's running
//! error analysis). The parts of a likely error are added as squares.

use ndarray::{Array1, Array2, ArrayView1, Axis, Zip};

use crate::cpu::reference;
use crate::verify::bounds::{self, Bound};

/// A matrix of f64, with a bound of the distance of the device's matrix from it.
#[derive(Clone)]
pub(super) struct Near {
    pub value: Array2<f64>,
    pub error: Array2<Bound>,
}

impl Near {
    /// Values without an error.
    pub fn exact(value: Array2<f64>) -> Self {
        Near { error: Array2::default(value.dim()), value }
    }

    /// Zeros without an error.
    pub fn zeros(dim: (usize, usize)) -> Self {
        Near::exact(Array2::zeros(dim))
    }

    /// The transpose.
    pub fn t(&self) -> Self {
        Near { value: self.value.t().to_owned(), error: self.error.t().to_owned() }
    }

    /// The largest magnitudes that the device's values may have.
    pub fn most(&self) -> Array2<f64> {
        self.value.mapv(f64::abs) + self.error.mapv(|error| error.most)
    }

    /// The product self · b. Its error is the sum of the errors that both factors carry into it, and the bound of a product of their
    /// largest magnitudes.
    pub fn dot(&self, b: &Near) -> Self {
        let (k, size, size_b) = (self.value.ncols(), self.value.mapv(f64::abs), b.value.mapv(f64::abs));
        let magnitude = self.most().dot(&b.most());
        let carried = &magnitude - &size.dot(&size_b);
        let square = |near: &Near| near.error.mapv(|error| error.likely * error.likely);
        let squares = (&size * &size).dot(&square(b)) + square(self).dot(&(&size_b * &size_b));
        let error = Array2::from_shape_fn(magnitude.dim(), |at| {
            Bound { most: carried[at], likely: squares[at].sqrt() } + bounds::product(magnitude[at], k)
        });
        Near { value: self.value.dot(&b.value), error }
    }

    /// The matrix with this row added to every row.
    pub fn plus_row(&self, row: &Near) -> Self {
        let value = &self.value + &row.value;
        let error = &self.error + &row.error;
        rounded(value, error, 2.0)
    }

    /// The sum of the rows. Some kernels compute it as a product with ones.
    pub fn sum_of_rows(&self) -> Self {
        let (most, terms) = (self.most(), self.value.nrows());
        let error = Array2::from_shape_fn((1, self.value.ncols()), |(_, c)| {
            let carried: Bound = self.error.column(c).iter().copied().sum();
            carried + Bound::roundings(terms as f64 + 4.0) * most.column(c).sum() + Bound::flushes(terms)
        });
        Near { value: self.value.sum_axis(Axis(0)).insert_axis(Axis(0)), error }
    }

    /// max(x, 0).
    pub fn relu(&self) -> Self {
        Near { value: self.value.mapv(|x| x.max(0.0)), error: self.error.clone() }
    }

    /// The gradient of x, from this gradient of ReLU's output at x. If the sign of x is not certain, an element may be kept or be 0.
    pub fn relu_backward(mut self, x: &Near) -> Self {
        Zip::from(&mut self.value).and(&mut self.error).and(&x.value).and(&x.error).for_each(|dy, error, x, near| {
            let error_of = |own: f64, near: f64| match (x.abs() > near, *x > 0.0) {
                (true, true) => own,
                (true, false) => 0.0,
                (false, _) => dy.abs() + own,
            };
            *error = Bound { most: error_of(error.most, near.most), likely: error_of(error.likely, near.likely) };
            *dy = if *x > 0.0 { *dy } else { 0.0 };
        });
        self
    }

    /// The values or gradients after dropout; those that are left out are exactly 0.
    pub fn dropout(mut self, rate: f32, seed: u64, counter: u64) -> Self {
        let (cols, scale) = (self.value.ncols(), 1.0 / (1.0 - f64::from(rate)));
        for ((r, c), value) in self.value.indexed_iter_mut() {
            let (kept, error) = (reference::keeps(rate, seed, counter, (r * cols + c) as u64), self.error[[r, c]]);
            let most = (value.abs() + error.most) * scale;
            *value = if kept { *value * scale } else { 0.0 };
            self.error[[r, c]] =
                if kept { error * scale + Bound::roundings(2.0) * most + Bound::FLUSH } else { Bound::NONE };
        }
        self
    }

    /// The gradients with the gradients of these parameters' penalties added. If the sign of a parameter is not certain, the
    /// gradient of l1 may have either sign.
    pub fn penalized(mut self, parameters: &Near, [l1, l2]: [f64; 2]) -> Self {
        Zip::from(&mut self.value).and(&mut self.error).and(&parameters.value).and(&parameters.error).for_each(
            |gradient, error, w, near| {
                let flipped = |near: f64| if w.abs() <= near && near > 0.0 { 2.0 * l1 } else { 0.0 };
                // Three constants, two products and two sums.
                let size = gradient.abs() + error.most + l1 + 2.0 * l2 * (w.abs() + near.most);
                *error = *error + near.map(flipped) + *near * (2.0 * l2) + Bound::roundings(4.0) * size;
                *gradient = reference::penalized_gradient(*w, *gradient, 1.0, [l1, l2]);
            },
        );
        self
    }
}

/// These values, with the error of some further roundings added.
pub(super) fn rounded(value: Array2<f64>, mut error: Array2<Bound>, roundings: f64) -> Near {
    error.zip_mut_with(&value, |error, value| {
        *error = *error + Bound::roundings(roundings) * (value.abs() + error.most) + Bound::FLUSH;
    });
    Near { value, error }
}

/// How far the probabilities of a row may move if each logit moves by no more than its error. A probability is largest where its own
/// logit is as large as possible and all others are as small as possible.
pub(super) fn moved_softmax(p: ArrayView1<'_, f64>, errors: ArrayView1<'_, f64>) -> Array1<f64> {
    let scaled =
        |sign: f64| -> Vec<f64> { p.iter().zip(errors.iter()).map(|(p, error)| p * (sign * error).exp()).collect() };
    let (raised, lowered) = (scaled(1.0), scaled(-1.0));
    let (all_raised, all_lowered) = (raised.iter().sum::<f64>(), lowered.iter().sum::<f64>());
    Array1::from_shape_fn(p.len(), |c| {
        let most = raised[c] / (raised[c] + (all_lowered - lowered[c]));
        let least = lowered[c] / (lowered[c] + (all_raised - raised[c]));
        (most - p[c]).max(p[c] - least)
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::moved_softmax;

    #[test]
    fn probabilities_move_as_far_as_their_logits_allow_and_no_farther() {
        let (logits, errors) = ([0.3f64, -1.0, 0.5], [0.02, 0.05, 0.01]);
        let softmax = |logits: [f64; 3]| {
            let exponentials = aview1(&logits).mapv(f64::exp);
            &exponentials / exponentials.sum()
        };
        let p = softmax(logits);
        let moved = moved_softmax(p.view(), aview1(&errors));
        let mut farthest = array![0.0, 0.0, 0.0];
        for corner in 0..8 {
            let sign = |c: usize| if corner >> c & 1 == 1 { 1.0 } else { -1.0 };
            let changed = softmax([0, 1, 2].map(|c| logits[c] + sign(c) * errors[c]));
            farthest.zip_mut_with(&(&changed - &p), |most: &mut f64, change: &f64| *most = most.max(change.abs()));
        }
        assert!((&moved - &farthest).iter().all(|difference| difference.abs() < 1e-12), "{moved} and {farthest}");
    }
}
