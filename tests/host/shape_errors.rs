//! Errors of operands whose shapes do not fit, or that are larger than any memory, on the CPU path.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use ndarray::array;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use wgpu_mlp::layers::{CategoricalCrossEntropy, Dense, ReLU, Softmax, SoftmaxCrossEntropy};
use wgpu_mlp::ops::{self, Activation, AdamOptions, CrossEntropy};
use wgpu_mlp::{Device, Error, Matrix, Mlp};

use super::errors::{ids, shares, zeros};

#[test]
fn shapes_of_products() {
    use Error::Shape;
    let (a, b) = (zeros(64, 128), zeros(127, 10));
    let columns_rows = "matmul: left columns must equal right rows; got 64x128 and 127x10";
    refused!(ops::matmul(&a, &b), Shape { op: "matmul", .. }, columns_rows);
    let rows = "matmul_tn: left rows must equal right rows; got 64x128 and 127x10";
    refused!(ops::matmul_tn(&a, &b), Shape { op: "matmul_tn", .. }, rows);
    let columns = "matmul_nt: left columns must equal right columns; got 64x128 and 127x10";
    refused!(ops::matmul_nt(&a, &b), Shape { op: "matmul_nt", .. }, columns);

    let linear = |w: &Matrix, bias: &Matrix| ops::linear(&a, w, bias, Activation::Relu);
    let inputs = "linear: input columns must equal weight rows; got 64x128 and 127x10";
    refused!(linear(&b, &zeros(1, 10)), Shape { op: "linear", .. }, inputs);
    for (rows, cols) in [(1, 11), (2, 10), (10, 1)] {
        let bias = format!(
            "linear: the bias must be one row with a value for each weight column; got 128x10 and {rows}x{cols}"
        );
        refused!(linear(&zeros(128, 10), &zeros(rows, cols)), Shape { op: "linear", .. }, bias);
    }
    let biases = "dense: the biases must be one row with a value for each weight column; got 3x2 and 1x3";
    refused!(Dense::from_parameters(zeros(3, 2), zeros(1, 3)), Shape { op: "dense", .. }, biases);
}

#[test]
fn shapes_element_by_element() {
    use Error::Shape;
    for (rows, cols) in [(1, 4), (2, 5), (5, 1)] {
        let bias =
            format!("bias_add: the bias must be one row with a value for each column; got 3x5 and {rows}x{cols}");
        refused!(ops::bias_add(&zeros(3, 5), &zeros(rows, cols)), Shape { op: "bias_add", .. }, bias);
    }
    let (left, right) = (zeros(3, 5), zeros(5, 3));
    let words = |op: &str| format!("{op}: both shapes must be equal; got 3x5 and 5x3");
    refused!(ops::relu_backward(&left, &right), Shape { op: "relu_backward", .. }, words("relu_backward"));
    refused!(ops::softmax_backward(&left, &right), Shape { op: "softmax_backward", .. }, words("softmax_backward"));
    refused!(ops::sgd(&mut left.clone(), &right, 0.1), Shape { op: "sgd", .. }, words("sgd"));
    for odd in 0..3 {
        let shapes: Vec<Matrix> = (0..3).map(|i| if i == odd { right.clone() } else { left.clone() }).collect();
        let [dw, mut m, mut v] = <[Matrix; 3]>::try_from(shapes).unwrap();
        let step = ops::adam(&mut left.clone(), &dw, &mut m, &mut v, &AdamOptions::default(), 1);
        refused!(step, Shape { op: "adam", .. }, words("adam"));
    }
    let mut dense = Dense::from_parameters(zeros(5, 2), zeros(1, 2)).unwrap();
    dense.forward(&left).unwrap();
    refused!(dense.backward(&left), Shape { .. }, "dense: both shapes must be equal; got 3x2 and 3x5");
    let mut relu = ReLU::new();
    relu.forward(&left).unwrap();
    refused!(relu.backward(&right), Shape { .. }, words("relu_backward"));
    let mut softmax = Softmax::new();
    softmax.forward(&left).unwrap();
    refused!(softmax.backward(&right), Shape { .. }, words("softmax_backward"));
}

#[test]
fn shapes_of_targets() {
    use Error::Shape;
    let x = zeros(4, 3);
    for targets in [ids(5, 3), ids(4, 2), shares(5, 3), shares(4, 4)] {
        let (rows, classes) = (targets.rows(), targets.class_count());
        let rule = "the matrix must have a row for each target and a column for each class";
        let words = |op: &str| format!("{op}: {rule}; got 4x3 and {rows}x{classes}");
        refused!(ops::nll(&x, &targets), Shape { op: "nll", .. }, words("nll"));
        refused!(CategoricalCrossEntropy::new().calculate(&x, &targets), Shape { op: "nll", .. }, words("nll"));
        refused!(ops::nll_backward(&x, &targets), Shape { op: "nll_backward", .. }, words("nll_backward"));
        let head = words("softmax_cross_entropy");
        refused!(ops::softmax_cross_entropy(&x, &targets, &Default::default()), Shape { .. }, head);
        refused!(SoftmaxCrossEntropy::new().forward(&x, &targets), Shape { .. }, head);
        refused!(ops::accuracy(&x, &targets), Shape { op: "accuracy", .. }, words("accuracy"));
    }
    for (rows, cols) in [(1, 4), (3, 1), (4, 3)] {
        let options = CrossEntropy { class_weights: Some(zeros(rows, cols)), ..Default::default() };
        let rule = "the class weights must be one row with a value for each class";
        let words = format!("softmax_cross_entropy: {rule}; got 4x3 and {rows}x{cols}");
        refused!(ops::softmax_cross_entropy(&x, &ids(4, 3), &options), Shape { .. }, words);
    }
    for (rows, cols) in [(1, 4), (3, 1), (4, 3)] {
        let options = CrossEntropy { sample_weights: Some(zeros(rows, cols)), ..Default::default() };
        let rule = "the sample weights must be one column with a value for each row";
        let words = |op: &str| format!("{op}: {rule}; got 4x3 and {rows}x{cols}");
        refused!(ops::nll_with(&x, &ids(4, 3), &options), Shape { op: "nll", .. }, words("nll"));
        let result = ops::nll_backward_with(&x, &ids(4, 3), &options);
        refused!(result, Shape { op: "nll_backward", .. }, words("nll_backward"));
        let result = ops::softmax_cross_entropy(&x, &ids(4, 3), &options);
        refused!(result, Shape { .. }, words("softmax_cross_entropy"));
    }
}

#[test]
fn shapes_that_no_memory_holds() {
    let cpu = Device::cpu();
    let words = format!("matrix: {}x2 needs {} bytes of host memory, which could not be had", usize::MAX, u64::MAX);
    refused!(Matrix::zeros(&cpu, usize::MAX, 2), Error::HostMemory { op: "matrix", .. }, words);
    for (rows, cols) in [(1, usize::MAX), (1 << 32, 1 << 32), (1 << 31, 1 << 31), (1 << 24, 1 << 24)] {
        assert!(matches!(Matrix::zeros(&cpu, rows, cols), Err(Error::HostMemory { .. })), "{rows}x{cols}");
    }
    let mut rng = ChaCha12Rng::seed_from_u64(0);
    assert!(matches!(Dense::new(&cpu, usize::MAX, usize::MAX, &mut rng), Err(Error::HostMemory { .. })));
    for widths in [[usize::MAX, 3], [3, usize::MAX], [1 << 40, 1 << 20]] {
        assert!(matches!(Mlp::new(&cpu, &widths, 0), Err(Error::HostMemory { .. })), "{widths:?}");
    }
    // An array with one stored value that claims to have very many.
    let view = array![[1.0f32]];
    let view = view.broadcast((1 << 40, 1 << 20)).unwrap();
    assert!(matches!(Matrix::from_array(&cpu, view), Err(Error::HostMemory { .. })));
    // A product may be too large even if its factors are not.
    let tall = zeros(1 << 23, 1);
    assert!(matches!(ops::matmul_nt(&tall, &tall), Err(Error::HostMemory { op: "matmul_nt", .. })));
}
