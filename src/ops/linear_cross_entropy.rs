//! linear_cross_entropy: a classifier's last layer and its loss.

use super::linear::{Activation, linear};
use super::softmax_cross_entropy::{CrossEntropy, Head, softmax_cross_entropy};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::targets::Targets;

/// WIP
pub fn linear_cross_entropy(
    x: &Matrix,
    weights: &Matrix,
    bias: &Matrix,
    targets: &Targets,
    options: &CrossEntropy,
) -> Result<Head> {
    softmax_cross_entropy(&linear(x, weights, bias, Activation::None)?, targets, options)
}
