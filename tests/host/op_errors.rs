//! Errors of ops for layers and updates, of models made by hand, and of plans, on the CPU path, each with its message.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use ndarray::Array2;
use wgpu_mlp::layers::Dropout;
use wgpu_mlp::metrics::top_k_accuracy;
use wgpu_mlp::ops::{self, CrossEntropy};
use wgpu_mlp::{
    ClassWeights, Device, Error, FitOptions, Matrix, Mlp, Optimizer, OptimizerState, Parameters, Plan, StepOptions,
    Targets,
};

use super::errors::{ids, shares, zeros};

#[test]
fn shapes_of_gradients() {
    use Error::Shape;
    let backward = |dy: (usize, usize), w: (usize, usize), x: (usize, usize)| {
        let [dy, w, x] = [dy, w, x].map(|(rows, cols)| zeros(rows, cols));
        ops::linear_backward(&dy, &w, &x)
    };
    let words = "linear_backward: gradient columns must equal weight columns; got 4x3 and 5x2";
    refused!(backward((4, 3), (5, 2), (4, 5)), Shape { op: "linear_backward", .. }, words);
    let words = "linear_backward: the input must have the gradient's rows; got 4x3 and 3x5";
    refused!(backward((4, 3), (5, 3), (3, 5)), Shape { op: "linear_backward", .. }, words);
    let words = "linear_backward: input columns must equal weight rows; got 4x6 and 5x3";
    refused!(backward((4, 3), (5, 3), (4, 6)), Shape { op: "linear_backward", .. }, words);

    let rows = "linear_gradients: left rows must equal right rows; got 4x2 and 3x5";
    refused!(ops::linear_gradients(&zeros(4, 2), &zeros(3, 5)), Shape { op: "linear_gradients", .. }, rows);

    let rows = "linear_gradients: left rows must equal right rows; got 4x5 and 3x2";
    refused!(ops::dense_backward(&zeros(4, 5), &zeros(3, 2), &zeros(5, 2)), Shape { .. }, rows);
    let words = "linear_backward: gradient columns must equal weight columns; got 4x2 and 5x3";
    refused!(ops::dense_backward(&zeros(4, 5), &zeros(4, 2), &zeros(5, 3)), Shape { .. }, words);
    let words = "linear_backward: input columns must equal weight rows; got 4x5 and 6x2";
    refused!(ops::dense_backward(&zeros(4, 5), &zeros(4, 2), &zeros(6, 2)), Shape { .. }, words);
}

#[test]
fn shapes_and_options_of_a_last_layer_with_its_loss() {
    use Error::Shape;
    let head = |w: (usize, usize), b: (usize, usize), targets: &Targets, options: &CrossEntropy| {
        ops::linear_cross_entropy(&zeros(4, 5), &zeros(w.0, w.1), &zeros(b.0, b.1), targets, options)
    };
    let (plain, fit) = (CrossEntropy::default(), ids(4, 3));
    let words = "linear_cross_entropy: input columns must equal weight rows; got 4x5 and 6x3";
    refused!(head((6, 3), (1, 3), &fit, &plain), Shape { op: "linear_cross_entropy", .. }, words);
    for (rows, cols) in [(1, 2), (2, 3), (3, 1)] {
        let rule = "the bias must be one row with a value for each weight column";
        let words = format!("linear_cross_entropy: {rule}; got 5x3 and {rows}x{cols}");
        refused!(head((5, 3), (rows, cols), &fit, &plain), Shape { op: "linear_cross_entropy", .. }, words);
    }
    for targets in [ids(3, 3), ids(4, 2), shares(5, 3), shares(4, 4)] {
        let (rows, classes) = (targets.rows(), targets.class_count());
        let rule = "there must be a target for each row, of as many classes as weight columns";
        let words = format!("linear_cross_entropy: {rule}; got 4x3 and {rows}x{classes}");
        refused!(head((5, 3), (1, 3), &targets, &plain), Shape { op: "linear_cross_entropy", .. }, words);
    }
    let refused = |targets: &Targets, options: CrossEntropy, words: &str| {
        let error = head((5, 3), (1, 3), targets, &options).map(drop).expect_err("an error");
        assert_eq!(error.to_string(), format!("softmax_cross_entropy: {words}"));
    };
    refused(
        &fit,
        CrossEntropy { label_smoothing: 1.5, ..plain.clone() },
        "label_smoothing must be from 0 to 1; got 1.5",
    );
    let ignoring = |class| CrossEntropy { ignore_index: Some(class), ..plain.clone() };
    refused(&fit, ignoring(3), "ignore_index must be one of the classes; got 3");
    refused(&shares(4, 3), ignoring(1), "ignore_index goes with class ids; the targets are distributions");
    let samples = CrossEntropy { sample_weights: Some(zeros(1, 4)), ..plain.clone() };
    refused(&fit, samples, "the sample weights must be one column with a value for each row; got 4x3 and 1x4");
}

#[test]
fn options_of_clipped_losses() {
    let x = zeros(4, 3);
    let refused = |targets: &Targets, options: CrossEntropy, words: &str| {
        let outcomes =
            [ops::nll_with(&x, targets, &options).err(), ops::nll_backward_with(&x, targets, &options).err()];
        for (error, op) in outcomes.into_iter().zip(["nll", "nll_backward"]) {
            assert_eq!(error.expect("an error").to_string(), format!("{op}: {words}"));
        }
    };
    let plain = CrossEntropy::default;
    for (label_smoothing, name) in [(-0.5, "-0.5"), (1.5, "1.5"), (f32::NAN, "NaN")] {
        let words = format!("label_smoothing must be from 0 to 1; got {name}");
        refused(&ids(4, 3), CrossEntropy { label_smoothing, ..plain() }, &words);
    }
    let ignoring = |class| CrossEntropy { ignore_index: Some(class), ..plain() };
    refused(&ids(4, 3), ignoring(3), "ignore_index must be one of the classes; got 3");
    refused(&shares(4, 3), ignoring(1), "ignore_index goes with class ids; the targets are distributions");
    let classes = CrossEntropy { class_weights: Some(zeros(1, 4)), ..plain() };
    refused(&ids(4, 3), classes, "the class weights must be one row with a value for each class; got 4x3 and 1x4");
}

#[test]
fn dropout_and_clipping_out_of_range() {
    use Error::{Option, Shape};
    let x = zeros(2, 3);
    for (rate, name) in [(-0.5, "-0.5"), (1.0, "1"), (f32::NAN, "NaN")] {
        let words = |op: &str| format!("{op}: rate must be from 0 up to but not including 1; got {name}");
        refused!(ops::dropout(&x, rate, 7, 0), Option { op: "dropout", .. }, words("dropout"));
        refused!(ops::dropout_backward(&x, rate, 7, 0), Option { op: "dropout", .. }, words("dropout"));
        refused!(ops::dropout_rows(&x, &[0, 1], rate, 7, 0), Option { .. }, words("dropout_rows"));
        let mut layer = Dropout::new(rate, 7);
        refused!(layer.forward(&x, true), Option { op: "dropout", .. }, words("dropout"));
        assert!(layer.forward(&x, false).is_ok(), "{rate} counts in training alone");
    }
    let words = "dropout_rows: there must be a number for each row; got 2x3 and 1x1";
    refused!(ops::dropout_rows(&x, &[0], 0.5, 7, 0), Shape { op: "dropout_rows", .. }, words);

    let none = "clip_scale: needs at least one row and one column; got 0x0";
    refused!(ops::clip_scale(&[], 1.0), Error::Empty { op: "clip_scale", .. }, none);
    for (limit, name) in [(0.0, "0"), (-1.0, "-1"), (f64::INFINITY, "inf"), (f64::NAN, "NaN")] {
        let words = format!("clip_scale: max_norm must be positive and finite; got {name}");
        refused!(ops::clip_scale(&[&x], limit), Option { op: "clip_scale", option: "max_norm", .. }, words);
    }
}

#[test]
fn shapes_of_updates() {
    use Error::Shape;
    let (left, right) = (zeros(3, 5), zeros(5, 3));
    let words = |op: &str| format!("{op}: both shapes must be equal; got 3x5 and 5x3");
    for (dw, slot) in [(&right, &left), (&left, &right)] {
        let (mut w, mut slot) = (left.clone(), slot.clone());
        let step = ops::momentum(&mut w, dw, &mut slot, &Default::default());
        refused!(step, Shape { op: "momentum", .. }, words("momentum"));
        let step = ops::adagrad(&mut w, dw, &mut slot, &Default::default());
        refused!(step, Shape { op: "adagrad", .. }, words("adagrad"));
        let step = ops::rmsprop(&mut w, dw, &mut slot, &Default::default());
        refused!(step, Shape { op: "rmsprop", .. }, words("rmsprop"));
    }
}

#[test]
fn models_made_of_parameters_that_do_not_fit() {
    let layer = |weights: (usize, usize), biases: (usize, usize)| Parameters {
        weights: Array2::zeros(weights),
        biases: Array2::zeros(biases),
    };
    let model = |layers: Vec<Parameters>| Mlp::from_parameters(&Device::cpu(), layers);
    let none = "mlp: widths must be at least the inputs and the classes; got 0";
    refused!(model(vec![]), Error::Option { op: "mlp", .. }, none);
    for (rows, cols) in [(1, 2), (2, 3), (3, 1)] {
        let rule = "the biases must be one row with a value for each column of the weights";
        let words = format!("mlp: {rule}; got 2x3 and {rows}x{cols}");
        refused!(model(vec![layer((2, 3), (rows, cols))]), Error::Shape { op: "mlp", .. }, words);
    }
    let words = "mlp: a layer must have as many inputs as the one before it has outputs; got 1x3 and 4x2";
    refused!(model(vec![layer((2, 3), (1, 3)), layer((4, 2), (1, 2))]), Error::Shape { op: "mlp", .. }, words);
    let words = "dense: needs at least one row and one column; got 0x3";
    refused!(model(vec![layer((0, 3), (1, 3))]), Error::Empty { .. }, words);
}

#[test]
fn calls_given_the_wrong_data() {
    use Error::Shape;
    let model = Mlp::new(&Device::cpu(), &[4, 5, 3], 0).unwrap();
    let (wide, fine) = (Array2::<f32>::zeros((2, 6)), Array2::<f32>::zeros((2, 4)));
    let words = |op| format!("{op}: features must have a column for each input of the first layer; got 2x6 and 4x5");
    refused!(model.predict_log_proba(wide.view()), Shape { .. }, words("predict_log_proba"));
    refused!(model.evaluate(wide.view(), &[0u8; 2]), Shape { .. }, words("evaluate"));
    refused!(model.score_top_k(wide.view(), &[0u8; 2], 1), Shape { .. }, words("score_top_k"));
    refused!(model.confusion_matrix(wide.view(), &[0u8; 2]), Shape { .. }, words("confusion_matrix"));
    let partial = model.clone().partial_fit(wide.view(), &[0u8; 2], &FitOptions::default());
    refused!(partial, Shape { op: "fit", .. }, words("fit"));
    let words = |op| format!("{op}: there must be a label for each row; got 2x4 and 3x1");
    refused!(model.evaluate(fine.view(), &[0u8; 3]), Shape { .. }, words("evaluate"));
    refused!(model.score_top_k(fine.view(), &[0u8; 3], 1), Shape { .. }, words("score_top_k"));
    let words = "targets: row 1 has class 3; classes run from 0 to 2";
    refused!(model.evaluate(fine.view(), &[0u8, 3]), Error::Target { row: 1, .. }, words);
    refused!(model.score_top_k(fine.view(), &[0u8, 3], 1), Error::Target { row: 1, .. }, words);
    refused!(model.confusion_matrix(fine.view(), &[0u8, 3]), Error::Target { row: 1, .. }, words);
    let words = "linear: input columns must equal weight rows; got 2x6 and 4x5";
    refused!(model.logits(&zeros(2, 6)), Shape { op: "linear", .. }, words);
    let none = Array2::<f32>::zeros((0, 3));
    let words = "targets: needs at least one row and one column; got 0x3";
    refused!(top_k_accuracy::<u8>(none.view(), &[], 1), Error::Empty { .. }, words);
    let kept = Matrix::zeros(&Device::cpu(), 2, 3).unwrap();
    let words = "read_into: the array must have the matrix's shape; got 2x3 and 3x2";
    refused!(kept.read_into(Array2::zeros((3, 2)).view_mut()), Shape { op: "read_into", .. }, words);
}

/// A step that is refused has changed neither the model nor the optimizer's state.
#[test]
fn steps_given_the_wrong_data() {
    let mut model = Mlp::new(&Device::cpu(), &[4, 5, 3], 0).unwrap();
    let before = model.parameters().unwrap();
    let mut refused = |x: &Matrix, y: &Targets, options: StepOptions, mut state: OptimizerState, words: &str| {
        let error = model.train_step_with(x, y, &options, &mut state).map(drop).expect_err("an error");
        assert_eq!(error.to_string(), words);
        assert_eq!((model.parameters().unwrap(), state.steps()), (before.clone(), 0), "{words}");
    };
    let (sgd, plain) = (|| OptimizerState::new(Optimizer::sgd(0.1)), StepOptions::default);
    let (x, y) = (zeros(2, 4), ids(2, 3));
    let words = "linear: input columns must equal weight rows; got 2x6 and 4x5";
    refused(&zeros(2, 6), &y, plain(), sgd(), words);
    let rule = "there must be a target for each row, of as many classes as weight columns";
    refused(&x, &ids(3, 3), plain(), sgd(), &format!("linear_cross_entropy: {rule}; got 2x3 and 3x3"));
    refused(&x, &ids(2, 4), plain(), sgd(), &format!("linear_cross_entropy: {rule}; got 2x3 and 2x4"));
    let rate = "sgd: learning_rate must be at least 0 and finite; got NaN";
    refused(&x, &y, plain(), OptimizerState::new(Optimizer::sgd(f64::NAN)), rate);
    let norm = "clip_scale: max_norm must be positive and finite; got 0";
    refused(&x, &y, plain(), sgd().with_clip_norm(0.0), norm);
    let loss = CrossEntropy { label_smoothing: 2.0, ..Default::default() };
    let words = "softmax_cross_entropy: label_smoothing must be from 0 to 1; got 2";
    refused(&x, &y, StepOptions { loss, ..plain() }, sgd(), words);
}

#[test]
fn plans_of_nothing() {
    let cpu = Device::cpu();
    let words = "mlp: widths must be at least the inputs and the classes; got 1";
    refused!(Plan::training_step(&cpu, &[4], &FitOptions::default()), Error::Option { op: "mlp", .. }, words);
    refused!(Plan::prediction(&cpu, &[4], 7), Error::Option { op: "mlp", .. }, words);
    let words = "dense: needs at least one row and one column; got 4x0";
    refused!(Plan::training_step(&cpu, &[4, 0, 3], &FitOptions::default()), Error::Empty { .. }, words);
    refused!(Plan::prediction(&cpu, &[4, 0, 3], 7), Error::Empty { .. }, words);
    let words = "plan: needs at least one row and one column; got 0x1";
    refused!(Plan::prediction(&cpu, &[4, 3], 0), Error::Empty { op: "plan", .. }, words);
    let options = FitOptions { class_weights: ClassWeights::Each(vec![1.0; 2]), ..Default::default() };
    let words = "fit: there must be a class weight for each class; got 1x2 and 1x3";
    refused!(Plan::training_step(&cpu, &[4, 3], &options), Error::Shape { op: "fit", .. }, words);
    let plan = Plan::training_step(&cpu, &[4, 3], &FitOptions::default()).unwrap();
    assert_eq!((plan.dispatches, plan.fits(), plan.allowed_bytes), (0, true, None));
}
