//! Trainings over ranks: the results of one process on all rows, the same bits on every rank, and no rank left waiting.

use std::ops::{ControlFlow, Range};

use ndarray::{Array2, s};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{
    ClassWeights, Device, EarlyStopping, Epoch, FitOptions, History, Mlp, Optimizer, Result, Schedule, Trainer,
};

use super::{bits, blobs, rich, without_times};

pub const ROWS: usize = 103;
pub const WIDTHS: [usize; 4] = [4, 12, 9, 3];
/// Widths of a model so large that ranks add the gradients of its last layers, in two parts, before those of the first are
/// computed.
pub const WIDE: [usize; 5] = [4, 1100, 1000, 1100, 3];

/// The data of a training.
#[derive(Clone)]
pub struct Data {
    /// The widths of the model that is trained on it.
    widths: &'static [usize],
    pub x: Array2<f32>,
    pub labels: Vec<i64>,
    weights: Option<Vec<f32>>,
    held: Option<(Array2<f32>, Vec<i64>)>,
}

impl Data {
    pub fn new() -> Self {
        let (x, labels) = blobs(ROWS, 5);
        let labels = labels.into_iter().map(i64::from).collect();
        Data { widths: &WIDTHS, x, labels, weights: None, held: None }
    }

    /// The data of a training of the large model.
    pub fn wide(self) -> Self {
        Data { widths: &WIDE, ..self }
    }

    /// Rows with weights from 0 to 3. Every ninth row is ignored.
    pub fn weighted(self) -> Self {
        let weights = (0..ROWS).map(|row| (row % 7) as f32 / 2.0).collect();
        let labels = self.labels.iter().zip(0..).map(|(label, row)| if row % 9 == 4 { -100 } else { *label });
        Data { labels: labels.collect(), weights: Some(weights), ..self }
    }

    /// Rows whose weights are multiplied by this factor.
    fn heavier(self, factor: f32) -> Self {
        let heavier = |weights: Vec<f32>| weights.into_iter().map(|weight| factor * weight).collect();
        Data { weights: self.weights.map(heavier), ..self }
    }

    /// Rows with weights so light that those of the first of two ranks would be moderated by themselves, and are not among all.
    fn light_at_first(self) -> Self {
        let lighter = |(row, weight): (usize, f32)| weight * if row < ROWS / 5 { -34.0f32 } else { -30.0 }.exp2();
        let light = |weights: Vec<f32>| weights.into_iter().enumerate().map(lighter).collect();
        Data { weights: self.weights.map(light), ..self }
    }

    /// Rows for the validation.
    pub fn validated(self) -> Self {
        let (x, labels) = blobs(31, 6);
        Data { held: Some((x, labels.into_iter().map(i64::from).collect())), ..self }
    }
}

/// The rows of each of so many ranks: very uneven shares; the second of three and of four ranks has no rows.
pub fn shares(size: usize, rows: usize) -> Vec<Range<usize>> {
    let ends = match size {
        1 => vec![rows],
        2 => vec![rows / 5, rows],
        3 => vec![rows / 2, rows / 2, rows],
        _ => vec![rows / 3, rows / 3, rows / 3 + 1, rows],
    };
    ends.iter().scan(0, |first, end| Some(std::mem::replace(first, *end)..*end)).collect()
}

/// The results of a training.
#[derive(Debug, PartialEq)]
pub struct Trained {
    pub bits: Vec<u32>,
    pub epochs: Vec<Epoch>,
    /// The parameters after each epoch, as a callback sees them. By then the ranks have compared theirs.
    pub by_epoch: Vec<Vec<u32>>,
    best_epoch: Option<usize>,
}

impl Trained {
    /// All results in words, for a rank to print.
    pub fn words(&self) -> String {
        format!("{:08x?} {:?}", self.bits, self.epochs)
    }

    fn values(&self) -> Vec<f32> {
        self.bits.iter().copied().map(f32::from_bits).collect()
    }

    pub fn of(model: &Mlp, history: &History, by_epoch: Vec<Vec<u32>>) -> Result<Self> {
        Ok(Trained { bits: bits(model)?, epochs: without_times(history), by_epoch, best_epoch: history.best_epoch })
    }
}

/// Trains on this rank's rows of all data.
pub fn train(device: &Device, ranks: &Ranks, data: &Data, options: &FitOptions) -> Result<Trained> {
    let own = shares(ranks.size(), data.labels.len()).swap_remove(ranks.rank());
    // Only rank 0's parameters count.
    let mut model = Mlp::new(device, data.widths, 3 + ranks.rank() as u64)?;
    let mut by_epoch = Vec::new();
    let mut watch = |model: &Mlp, _: &Epoch| {
        by_epoch.push(bits(model)?);
        Ok(ControlFlow::Continue(()))
    };
    let mut trainer = Trainer::new(options).over(ranks).callback(&mut watch);
    if let Some(weights) = &data.weights {
        trainer = trainer.row_weights(&weights[own.clone()]);
    }
    if let Some((x, labels)) = &data.held {
        let own = shares(ranks.size(), labels.len()).swap_remove(ranks.rank());
        trainer = trainer.validation_set(x.slice(s![own.clone(), ..]), &labels[own]);
    }
    let history = trainer.fit(&mut model, data.x.slice(s![own.clone(), ..]), &data.labels[own])?;
    Trained::of(&model, &history, by_epoch)
}

/// Trains on so many ranks, which must all end with the same.
pub fn train_over(device: &Device, size: usize, data: &Data, options: &FitOptions) -> Result<Trained> {
    in_threads(size, |ranks| train(device, ranks, data, options))
}

/// Runs a training on so many threads, which must all end with the same.
pub fn in_threads(size: usize, train: impl Fn(&Ranks) -> Result<Trained> + Sync) -> Result<Trained> {
    let mut all = Ranks::in_threads(size, train).into_iter().collect::<Result<Vec<_>>>()?;
    for (rank, other) in all.iter().enumerate() {
        assert_eq!(other, &all[0], "rank {rank} of {size} has ended with something else");
    }
    Ok(all.swap_remove(0))
}

/// The largest difference between the parameters of two trainings.
pub fn distance(a: &Trained, b: &Trained) -> f32 {
    assert_eq!(a.bits.len(), b.bits.len());
    let distances = a.values().into_iter().zip(b.values()).map(|(a, b)| (a - b).abs());
    distances.fold(0.0, |most, distance| if distance.is_nan() { f32::NAN } else { most.max(distance) })
}

/// Trainings on 1 to 4 ranks give the results of one process on all rows: the same epochs, and parameters that differ only by
/// rounding in another order.
pub fn as_one_process(device: &Device) -> Result<()> {
    let plain = FitOptions { epochs: 4, batch: 16, optimizer: Optimizer::momentum(0.05, 0.9), ..Default::default() };
    let steep = FitOptions { optimizer: Optimizer::momentum(0.05, 0.9), early_stopping: None, ..rich() };
    let each = ClassWeights::Each(vec![1.0, 0.25, 3.0]);
    let without = ClassWeights::Each(vec![0.0, 1.0, 1.0]);
    let spread = FitOptions { label_smoothing: 0.3, class_weights: without, shuffle: false, ..plain.clone() };
    let sorted = Data { labels: (0..ROWS as i64).map(|row| row / 35).collect(), ..Data::new() };
    let cases = [
        ("plain", Data::new(), plain.clone()),
        ("in order", Data::new(), FitOptions { shuffle: false, batch: 40, ..plain.clone() }),
        ("all in one batch", Data::new(), FitOptions { batch: ROWS, ..plain.clone() }),
        ("weighted and ignored", Data::new().weighted(), FitOptions { class_weights: each, ..plain.clone() }),
        ("light weights", Data::new().weighted().light_at_first(), plain.clone()),
        ("batches without weight", sorted, spread),
        ("balanced", Data::new(), FitOptions { class_weights: ClassWeights::Balanced, ..plain.clone() }),
        ("dropout", Data::new(), FitOptions { dropout: 0.4, ..plain.clone() }),
        ("clipped", Data::new().weighted(), FitOptions { clip_norm: Some(0.1), ..plain.clone() }),
        ("a validation set", Data::new().validated(), plain.clone()),
        ("a part to validate on", Data::new().weighted(), FitOptions { validation_fraction: 0.3, ..plain.clone() }),
        ("everything", Data::new().weighted(), steep),
        (
            "a large model",
            Data::new().weighted().wide(),
            FitOptions { epochs: 2, dropout: 0.2, clip_norm: Some(0.1), ..plain.clone() },
        ),
        ("not looked at", Data::new(), FitOptions { stop_on_non_finite: false, workers: 2, ..plain }),
    ];
    for (name, data, options) in cases {
        let alone = train(device, &Ranks::alone(), &data, &options)?;
        for size in 2..=4 {
            let over = train_over(device, size, &data, &options)?;
            let apart = distance(&alone, &over);
            assert!(apart <= 1e-4, "{name}, {size} ranks: parameters are {apart} apart");
            let again = train_over(device, size, &data, &options)?;
            assert_eq!(over, again, "{name}, {size} ranks: another run, other bits");
            assert_eq!(alone.epochs.len(), over.epochs.len(), "{name}, {size} ranks");
            for (a, b) in alone.epochs.iter().zip(&over.epochs) {
                assert!(are_alike(&data, a, b), "{name}, {size} ranks: {a:?} and {b:?}");
            }
        }
    }
    Ok(())
}

/// Whether two epochs on the same data are equal except for rounding, which may change the class of one row.
fn are_alike(data: &Data, a: &Epoch, b: &Epoch) -> bool {
    let within = |a: Option<f64>, b: Option<f64>, bound: f64| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= bound,
        (a, b) => a == b,
    };
    let close = |a: Option<f64>, b: Option<f64>| within(a, b, 1e-4 * a.map_or(1.0, |a| a.abs().max(1.0)));
    // Rows that count and are not trained on are held out.
    let counted = data.labels.iter().filter(|label| **label != -100).count();
    let held = data.held.as_ref().map_or(counted as f64 - a.rows as f64, |(_, labels)| labels.len() as f64);
    let one_of = |rows: f64| (1.0 + 1e-9) / rows;
    close(Some(a.loss), Some(b.loss))
        && close(a.validation_loss, b.validation_loss)
        && within(Some(a.accuracy), Some(b.accuracy), one_of(a.rows as f64))
        && within(a.validation_accuracy, b.validation_accuracy, one_of(held))
        && (a.rows, a.learning_rate) == (b.rows, b.learning_rate)
}

/// If all weights are multiplied or divided by one factor, a training has the same bits: in one process and in several, with
/// weights of rows and of classes. Otherwise their sums would overflow or lose bits.
pub fn weights_of_any_size(device: &Device) -> Result<()> {
    let each = |factor: f32| ClassWeights::Each([1.0, 0.25, 3.0].map(|weight| factor * weight).to_vec());
    let options = FitOptions { epochs: 3, batch: 16, class_weights: each(1.0), ..Default::default() };
    for size in 1..=3 {
        let plain = train_over(device, size, &Data::new().weighted(), &options)?;
        for power in [-122.0f32, -60.0, 60.0, 124.0] {
            let data = Data::new().weighted().heavier(power.exp2());
            assert_eq!(train_over(device, size, &data, &options)?, plain, "{size} ranks, rows of 2^{power}");
            let options = FitOptions { class_weights: each(power.exp2()), ..options.clone() };
            assert_eq!(train_over(device, size, &data, &options)?, plain, "{size} ranks, all of 2^{power}");
        }
    }
    Ok(())
}

/// Early stopping and plateaus depend on comparisons of losses. All ranks do them at once, and restore the same epoch.
pub fn decisions(device: &Device) -> Result<()> {
    // No epoch is better than the first by this much.
    let early_stopping = Some(EarlyStopping { patience: 4, min_delta: 10.0, ..Default::default() });
    let schedule = Schedule::OnPlateau { factor: 0.5, patience: 1, threshold: 0.9, minimum: 1e-6 };
    let options = FitOptions { epochs: 12, schedule, warm_up_steps: 0, early_stopping, ..rich() };
    for size in 1..=4 {
        let over = train_over(device, size, &Data::new(), &options)?;
        assert_eq!((over.epochs.len(), over.best_epoch), (5, Some(0)), "{size} ranks");
        assert_eq!(over.bits, over.by_epoch[0], "{size} ranks: not the parameters of the best epoch");
        let rates: Vec<_> = over.epochs.iter().map(|epoch| epoch.learning_rate).collect();
        assert!(rates[4] < rates[0], "{size} ranks: {rates:?}");
    }
    Ok(())
}

/// Predictions and scores over ranks are those of one process on all rows.
pub fn scores(device: &Device) -> Result<()> {
    for size in 1..=4 {
        Ranks::in_threads(size, |ranks| scores_of(device, ranks)).into_iter().collect::<Result<Vec<_>>>()?;
    }
    Ok(())
}

/// The scores of one rank.
pub fn scores_of(device: &Device, ranks: &Ranks) -> Result<()> {
    let data = Data::new().weighted();
    let model = Mlp::new(device, &WIDTHS, 3)?;
    let (all, all_labels) = (data.x.view(), &data.labels);
    let own = shares(ranks.size(), ROWS).swap_remove(ranks.rank());
    let (x, labels) = (data.x.slice(s![own.clone(), ..]), &data.labels[own.clone()]);
    assert_eq!(model.predict_over(ranks, x)?, model.predict(all)?);
    let (over, evaluated) = (model.evaluate_over(ranks, x, labels)?, model.evaluate(all, all_labels)?);
    assert!((over.loss_sum - evaluated.loss_sum).abs() <= 1e-4 * evaluated.loss_sum);
    assert_eq!((over.correct, over.rows), (evaluated.correct, evaluated.rows));
    // A row that is not finite is numbered among the rows of all ranks.
    let mut bad = data.x.clone();
    bad[[ROWS - 2, 1]] = f32::NAN;
    let over = model.evaluate_over(ranks, bad.slice(s![own.clone(), ..]), labels)?;
    assert_eq!((over.non_finite_rows, over.first_bad_row), (1, Some(ROWS as u64 - 2)));
    let all_weights = data.weights.as_deref().unwrap_or_default();
    let weighted = model.evaluate_weighted(all, all_labels, all_weights)?;
    let over = model.evaluate_weighted_over(ranks, x, labels, &all_weights[own])?;
    assert!((over.loss_sum - weighted.loss_sum).abs() <= 1e-4 * weighted.loss_sum);
    assert!((over.weight_sum - weighted.weight_sum).abs() <= 1e-6 * weighted.weight_sum);
    assert_eq!((over.correct, over.rows), (weighted.correct, weighted.rows));
    assert_eq!(model.score_over(ranks, x, labels)?, model.score(all, all_labels)?);
    assert_eq!(model.score_top_k_over(ranks, x, labels, 2)?, model.score_top_k(all, all_labels, 2)?);
    assert_eq!(model.confusion_matrix_over(ranks, x, labels)?, model.confusion_matrix(all, all_labels)?);
    Ok(())
}
