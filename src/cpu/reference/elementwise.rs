//! Ops of single elements: bias_add, relu, relu_mask, relu_backward.

use ndarray::Array2;

/// The bias b, one row, added to every row of X.
pub fn bias_add(x: &Array2<f64>, bias: &Array2<f64>) -> Array2<f64> {
    x + bias
}

/// ReLU: max(x, 0), and NaN for NaN.
pub fn relu(x: f64) -> f64 {
    if x > 0.0 || x.is_nan() { x } else { 0.0 }
}

/// The mask of ReLU: 1 where x is above 0, else 0.
pub fn relu_mask(x: f64) -> f64 {
    if x > 0.0 { 1.0 } else { 0.0 }
}

/// The gradient of ReLU's input: dY where X is above 0, and exactly 0 elsewhere, even where dY is NaN.
pub fn relu_backward(x: &Array2<f64>, dy: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |at| if x[at] > 0.0 { dy[at] } else { 0.0 })
}
