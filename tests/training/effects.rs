//! Each option of a fit does what it says.

use ndarray::Array2;
use wgpu_mlp::layers::Dense;
use wgpu_mlp::metrics::balanced_class_weights;
use wgpu_mlp::ops::{self, Activation, CrossEntropy};
use wgpu_mlp::{
    ClassWeights, Device, FitOptions, Matrix, Mlp, Optimizer, OptimizerState, Penalty, Result, Schedule, StepOptions,
    Targets,
};

use super::{bits, blobs};

const ROWS: usize = 40;
const RATE: f64 = 0.05;

fn plain() -> FitOptions {
    FitOptions {
        epochs: 3,
        batch: ROWS,
        shuffle: false,
        seed: 9,
        optimizer: Optimizer::adam(RATE),
        ..Default::default()
    }
}

fn model(device: &Device) -> Result<Mlp> {
    Mlp::new(device, &[4, 9, 8, 3], 1)
}

fn data() -> (Array2<f32>, Vec<u8>) {
    let (x, mut labels) = blobs(ROWS, 12);
    labels[..9].fill(0); // not as many of each
    (x, labels)
}

fn fitted(device: &Device, options: &FitOptions) -> Result<Vec<u32>> {
    let ((x, labels), mut model) = (data(), model(device)?);
    model.fit(x.view(), &labels, options)?;
    bits(&model)
}

/// Three steps on all rows, with these rates.
fn by_hand(device: &Device, step: &StepOptions, mut state: OptimizerState, rates: [f64; 3]) -> Result<Vec<u32>> {
    let ((x, labels), mut model) = (data(), model(device)?);
    let (x, y) = (Matrix::from_array(device, x.view())?, Targets::classes(device, &labels, 3)?);
    for rate in rates {
        state.set_learning_rate(rate);
        model.train_step_with(&x, &y, step, &mut state)?;
    }
    bits(&model)
}

/// A fit with one batch an epoch gives the result of the same steps by hand with the same options, and another result without
/// the options.
pub fn steps_by_hand(device: &Device) -> Result<()> {
    let loss = |loss| StepOptions { loss, seed: 9, ..Default::default() };
    let (usual, fresh) = (loss(CrossEntropy::default()), || OptimizerState::new(Optimizer::adam(RATE)));
    let weights = Matrix::from_slice(device, 1, 3, &[0.5, 2.0, 1.0])?;
    let weighted = CrossEntropy { class_weights: Some(weights), ..Default::default() };
    let penalties: Vec<_> =
        (1..4).map(|i| Penalty { l2_weights: 0.01 * f64::from(i), l1_biases: 0.02, ..Default::default() }).collect();
    let even = [RATE; 3];
    let cases = [
        (
            FitOptions { penalties: penalties.clone(), ..plain() },
            usual.clone(),
            fresh().with_penalties(penalties.clone()),
            even,
        ),
        (
            FitOptions { penalties: vec![penalties[1]], ..plain() },
            usual.clone(),
            fresh().with_penalties(vec![penalties[1]; 3]),
            even,
        ),
        (FitOptions { clip_norm: Some(1e-6), ..plain() }, usual.clone(), fresh().with_clip_norm(1e-6), even),
        (FitOptions { dropout: 0.4, ..plain() }, StepOptions { dropout: 0.4, ..usual.clone() }, fresh(), even),
        (
            FitOptions { label_smoothing: 0.2, ..plain() },
            loss(CrossEntropy { label_smoothing: 0.2, ..Default::default() }),
            fresh(),
            even,
        ),
        (
            FitOptions { class_weights: ClassWeights::Each(vec![0.5, 2.0, 1.0]), ..plain() },
            loss(weighted),
            fresh(),
            even,
        ),
        (FitOptions { warm_up_steps: 4, ..plain() }, usual.clone(), fresh(), [1.0, 2.0, 3.0].map(|t| RATE * (t / 4.0))),
        (
            FitOptions { schedule: Schedule::Exponential { factor: 0.5 }, ..plain() },
            usual.clone(),
            fresh(),
            [RATE, RATE * 0.5, RATE * 0.25],
        ),
    ];
    let without = fitted(device, &plain())?;
    assert_eq!(without, by_hand(device, &usual, fresh(), even)?);
    for (options, step, state, rates) in cases {
        let got = fitted(device, &options)?;
        assert_eq!(got, by_hand(device, &step, state, rates)?, "{options:?}");
        assert_ne!(got, without, "{options:?}");
    }
    Ok(())
}

/// The learning rate that each epoch records, for every schedule.
pub fn learning_rates(device: &Device) -> Result<()> {
    let rates = |schedule, warm_up_steps, batch| -> Result<Vec<f64>> {
        let ((x, labels), mut model) = (data(), model(device)?);
        let options = FitOptions { epochs: 5, batch, schedule, warm_up_steps, ..plain() };
        Ok(model.fit(x.view(), &labels, &options)?.epochs.iter().map(|epoch| epoch.learning_rate / RATE).collect())
    };
    let near = |got: Vec<f64>, wanted: [f64; 5]| {
        assert!(got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-12), "{got:?}, {wanted:?}");
    };
    let (half, root) = (0.5, 0.5f64.sqrt());
    near(rates(Schedule::Constant, 0, 10)?, [1.0; 5]);
    near(rates(Schedule::Step { every: 2, factor: 0.1 }, 0, 10)?, [1.0, 1.0, 0.1, 0.1, 0.01]);
    near(rates(Schedule::Exponential { factor: half }, 0, 10)?, [1.0, 0.5, 0.25, 0.125, 0.0625]);
    let cosine = Schedule::Cosine { epochs: 4, minimum: 0.0 };
    near(rates(cosine, 0, 10)?, [1.0, (1.0 + root) / 2.0, 0.5, (1.0 - root) / 2.0, 0.0]);
    // No loss falls to a hundredth of the one before.
    let plateau = Schedule::OnPlateau { factor: half, patience: 1, threshold: 0.99, minimum: 0.3 * RATE };
    near(rates(plateau, 0, 10)?, [1.0, 1.0, 1.0, 0.5, 0.5]);
    // There are four steps an epoch; the rate of the first is recorded.
    near(rates(Schedule::Constant, 10, 10)?, [0.1, 0.5, 0.9, 1.0, 1.0]);
    near(rates(Schedule::Step { every: 1, factor: half }, 10, 10)?, [0.1, 0.25, 0.225, 0.125, 0.0625]);
    Ok(())
}

/// Balanced weights are those of the module `metrics` for the rows that are trained on.
pub fn balanced(device: &Device) -> Result<()> {
    let (_, labels) = data();
    let weights = balanced_class_weights(&labels, 3)?;
    assert!(weights[0] < weights[1]);
    let of = |class_weights| fitted(device, &FitOptions { class_weights, batch: 16, ..plain() });
    assert_eq!(of(ClassWeights::Balanced)?, of(ClassWeights::Each(weights))?);
    assert_ne!(of(ClassWeights::Balanced)?, of(ClassWeights::Equal)?);
    Ok(())
}

/// The weight of a class without rows changes nothing, however large it is.
pub fn weights_of_missing_classes(device: &Device) -> Result<()> {
    let (x, labels) = data();
    let model = || Mlp::new(device, &[4, 9, 4], 1);
    let fitted = |missing: f32| -> Result<Vec<u32>> {
        let class_weights = ClassWeights::Each(vec![1e-30, 2e-30, 1e-30, missing]);
        let mut trained = model()?;
        let history = trained.fit(x.view(), &labels, &FitOptions { class_weights, ..plain() })?;
        assert!(history.epochs.iter().all(|epoch| epoch.loss.is_finite()), "{missing}: {history}");
        bits(&trained)
    };
    let wanted = fitted(0.0)?;
    assert_ne!(wanted, bits(&model()?)?);
    for missing in [1e-30, 1.0, f32::MAX] {
        assert_eq!(fitted(missing)?, wanted, "{missing}");
    }
    Ok(())
}

/// Three steps with dropout, forward and backward, give the results of layers and of the op with the same counters.
pub fn dropout_by_layers(device: &Device) -> Result<()> {
    const SHARE: f32 = 0.4;
    let ((x, labels), mut trained) = (data(), model(device)?);
    let (x, y) = (Matrix::from_array(device, x.view())?, Targets::classes(device, &labels, 3)?);
    let mut dense = Vec::new();
    for (index, layer) in trained.parameters()?.iter().enumerate() {
        let parameter = |values: &Array2<f32>| Matrix::from_array(device, values.view());
        let layer = Dense::from_parameters(parameter(&layer.weights)?, parameter(&layer.biases)?)?;
        dense.push(layer.with_activation(if index < 2 { Activation::Relu } else { Activation::None }));
    }
    let options = StepOptions { dropout: SHARE, seed: 9, ..Default::default() };
    let (mut state, mut twin) = (OptimizerState::new(Optimizer::sgd(0.5)), OptimizerState::new(Optimizer::sgd(0.5)));
    for step in 0..3 {
        let counters = [3 * step, 3 * step + 1];
        trained.train_step_with(&x, &y, &options, &mut state)?;
        let first = ops::dropout(&dense[0].forward(&x)?, SHARE, 9, counters[0])?;
        let second = ops::dropout(&dense[1].forward(&first)?, SHARE, 9, counters[1])?;
        let head = ops::softmax_cross_entropy(&dense[2].forward(&second)?, &y, &CrossEntropy::default())?;
        let back = ops::dropout_backward(&dense[2].backward(head.dlogits())?, SHARE, 9, counters[1])?;
        let back = ops::dropout_backward(&dense[1].backward(&back)?, SHARE, 9, counters[0])?;
        dense[0].backward(&back)?;
        twin.step(dense.iter_mut().flat_map(|layer| layer.parameters_mut()))?;
    }
    for (got, wanted) in trained.parameters()?.iter().zip(&dense) {
        for (got, wanted) in [(&got.weights, wanted.weights()), (&got.biases, wanted.biases())] {
            let wanted = wanted.to_array()?;
            assert!(got.iter().zip(&wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-5), "{got} and {wanted}");
        }
    }
    let start = model(device)?.parameters()?;
    assert!(trained.parameters()?.iter().zip(&start).all(|(now, then)| now.weights != then.weights));
    Ok(())
}
