//! Trainings and scores over ranks, which are threads here, on the CPU path.

use ndarray::{Array2, s};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, Error, FitOptions, Mlp, RanksError, Result, Trainer};

use crate::training::over_ranks::{self, Data, ROWS, WIDTHS};
use crate::training::{rank_faults, ranks_resumed, rich};

#[test]
fn a_training_is_that_of_one_process_on_all_rows() -> Result<()> {
    over_ranks::as_one_process(&Device::cpu())
}

#[test]
fn weights_may_be_of_any_size() -> Result<()> {
    over_ranks::weights_of_any_size(&Device::cpu())
}

#[test]
fn all_ranks_decide_alike() -> Result<()> {
    over_ranks::decisions(&Device::cpu())
}

#[test]
fn scores_are_those_of_one_process_on_all_rows() -> Result<()> {
    over_ranks::scores(&Device::cpu())
}

/// All of so many ranks must end with an error that has these words.
fn told(size: usize, call: &(dyn Fn(&Ranks) -> Result<()> + Sync), words: &str) {
    for (rank, outcome) in Ranks::in_threads(size, call).into_iter().enumerate() {
        assert_eq!(outcome.err().map(|error| error.to_string()).as_deref(), Some(words), "rank {rank}");
    }
}

/// If one rank gets another value, every rank returns an error with both values.
#[test]
fn ranks_that_were_given_different_things_are_told_so() {
    let train = |ranks: &Ranks, data: &Data, options: &FitOptions| {
        over_ranks::train(&Device::cpu(), ranks, data, options).map(drop)
    };
    let batch = |ranks: &Ranks| {
        let batch = if ranks.rank() == 2 { 17 } else { 16 };
        train(ranks, &Data::new(), &FitOptions { batch, ..rich() })
    };
    told(3, &batch, "the ranks differ in batch: 17 on rank 2, 16 on rank 0");
    let seed = |ranks: &Ranks| {
        let seed = if ranks.rank() == 1 { 12 } else { 11 };
        train(ranks, &Data::new(), &FitOptions { seed, ..rich() })
    };
    told(3, &seed, "the ranks differ in seed: 12 on rank 1, 11 on rank 0");
    let Data { x, labels, .. } = Data::new();
    let width = |ranks: &Ranks| {
        let widths = if ranks.rank() == 2 { [4, 12, 8, 3] } else { WIDTHS };
        let (own, options) = (ranks.share_of(ROWS), rich());
        let mut model = Mlp::new(&Device::cpu(), &widths, 3)?;
        Trainer::new(&options).over(ranks).fit(&mut model, x.slice(s![own.clone(), ..]), &labels[own]).map(drop)
    };
    told(3, &width, "the ranks differ in the model's widths: [4, 12, 8, 3] on rank 2, [4, 12, 9, 3] on rank 0");
    // Weights or a validation set on only one rank, the last or the first.
    let plain = FitOptions::default();
    for (with, said) in [(2, "true on rank 2, false on rank 0"), (0, "false on rank 1, true on rank 0")] {
        let weights = |ranks: &Ranks| {
            let data = if ranks.rank() == with { Data::new().weighted() } else { Data::new() };
            train(ranks, &data, &plain)
        };
        told(3, &weights, &format!("the ranks differ in whether rows have weights: {said}"));
        let validation = |ranks: &Ranks| {
            let data = if ranks.rank() == with { Data::new().validated() } else { Data::new() };
            train(ranks, &data, &plain)
        };
        told(3, &validation, &format!("the ranks differ in whether there is a validation set: {said}"));
    }
}

/// One rank predicts while the others train, two ranks compute different scores, and two use different k.
#[test]
fn ranks_in_different_calls_are_told_so() -> Result<()> {
    let device = Device::cpu();
    let model = Mlp::new(&device, &WIDTHS, 0)?;
    let Data { x, labels, .. } = Data::new();
    let fit_or_predict = |ranks: &Ranks| match ranks.rank() {
        0 => model.predict_over(ranks, &x).map(drop),
        _ => over_ranks::train(&device, ranks, &Data::new(), &rich()).map(drop),
    };
    told(2, &fit_or_predict, "the ranks differ in the call that they are in: fit on rank 1, predict on rank 0");
    let scores = |ranks: &Ranks| match ranks.rank() {
        0 => model.score_over(ranks, &x, &labels).map(drop),
        _ => model.evaluate_over(ranks, &x, &labels).map(drop),
    };
    told(2, &scores, "the ranks differ in the call that they are in: evaluate on rank 1, score on rank 0");
    let top = |ranks: &Ranks| model.score_top_k_over(ranks, &x, &labels, 1 + ranks.rank()).map(drop);
    told(2, &top, "the ranks differ in k: 2 on rank 1, 1 on rank 0");
    let sum = |ranks: &Ranks| ranks.sum(&mut vec![1.0; 5 + ranks.rank()]);
    told(2, &sum, "the ranks differ in the number of values to add: 6 on rank 1, 5 on rank 0");
    Ok(())
}

/// A call over ranks, with this rank's model.
type Call<'a> = Box<dyn Fn(&Mlp, &Ranks) -> Result<()> + Sync + 'a>;

/// The calls over ranks that use a model which is there already, each with its name. Every rank has all of these rows.
fn calls<'a>(x: &'a Array2<f32>, labels: &'a [i64]) -> [(&'static str, Call<'a>); 6] {
    [
        ("predict", Box::new(move |model: &Mlp, ranks: &Ranks| model.predict_over(ranks, x).map(drop))),
        ("evaluate", Box::new(move |model: &Mlp, ranks: &Ranks| model.evaluate_over(ranks, x, labels).map(drop))),
        (
            "evaluate_weighted",
            Box::new(move |model: &Mlp, ranks: &Ranks| {
                let weights = vec![1.0; labels.len()];
                model.evaluate_weighted_over(ranks, x, labels, &weights).map(drop)
            }),
        ),
        ("score", Box::new(move |model: &Mlp, ranks: &Ranks| model.score_over(ranks, x, labels).map(drop))),
        (
            "score_top_k",
            Box::new(move |model: &Mlp, ranks: &Ranks| model.score_top_k_over(ranks, x, labels, 2).map(drop)),
        ),
        (
            "confusion_matrix",
            Box::new(move |model: &Mlp, ranks: &Ranks| model.confusion_matrix_over(ranks, x, labels).map(drop)),
        ),
    ]
}

/// A rank may have another model, or have forgotten to load it. Its predictions would stand among those of the others.
#[test]
fn ranks_with_different_models_are_told_so() -> Result<()> {
    let (Data { x, labels, .. }, device) = (Data::new(), Device::cpu());
    let (model, narrow) = (Mlp::new(&device, &WIDTHS, 3)?, Mlp::new(&device, &[4, 12, 8, 3], 3)?);
    let mut parameters = model.parameters()?;
    let bias = &mut parameters[2].biases[[0, 1]];
    *bias = f32::from_bits(bias.to_bits() ^ 1);
    let other = Mlp::from_parameters(&device, parameters)?;
    for (name, call) in calls(&x, &labels) {
        let with = |second: &Mlp, ranks: &Ranks| call(if ranks.rank() == 0 { &model } else { second }, ranks);
        let widths = "the ranks differ in the model's widths: [4, 12, 8, 3] on rank 1, [4, 12, 9, 3] on rank 0";
        told(2, &|ranks: &Ranks| with(&narrow, ranks), widths);
        let outcomes = Ranks::in_threads(2, |ranks| with(&other, ranks));
        let words: Vec<_> = outcomes.into_iter().map(|outcome| outcome.map_err(|error| error.to_string())).collect();
        let is_told = |words: &String| {
            words.starts_with("the ranks differ in the checksum of the model's parameters: ")
                && words.contains(" on rank 1, ")
                && words.ends_with(" on rank 0")
        };
        assert!(words[0].as_ref().is_err_and(is_told), "{name}: {words:?}");
        assert_eq!(words[0], words[1], "{name}");
        // A model that is the same in all bits is accepted, whatever it was made from.
        let again = Mlp::from_parameters(&device, model.parameters()?)?;
        assert!(Ranks::in_threads(2, |ranks| with(&again, ranks)).iter().all(Result::is_ok), "{name}");
    }
    Ok(())
}

/// One of several ranks may have no rows, but if none has one, every rank gets the error of one process.
#[test]
fn calls_without_a_row_on_any_rank_are_refused() -> Result<()> {
    let (none, model) = (Array2::zeros((0, WIDTHS[0])), Mlp::new(&Device::cpu(), &WIDTHS, 3)?);
    for (name, call) in calls(&none, &[]) {
        for outcome in Ranks::in_threads(3, |ranks| call(&model, ranks)) {
            let is_empty = |error: &Error| match error {
                Error::Ranks(RanksError::Failed { source, .. }) => {
                    matches!(source.downcast_ref::<Error>(), Some(Error::Empty { op, .. }) if *op == name)
                }
                _ => false,
            };
            assert!(outcome.as_ref().is_err_and(is_empty), "{name}: {outcome:?}");
        }
    }
    Ok(())
}

#[test]
fn checkpoints_are_resumed_by_any_number_of_ranks() -> Result<()> {
    ranks_resumed::checkpoints(&Device::cpu())
}

#[test]
fn no_fault_leaves_a_rank_waiting() -> Result<()> {
    rank_faults::faults(&Device::cpu(), 200)
}

#[test]
fn an_update_that_is_not_finite_is_undone_on_all_ranks() -> Result<()> {
    rank_faults::undone(&Device::cpu())
}

#[test]
fn a_panic_ends_all_ranks_and_goes_on() -> Result<()> {
    rank_faults::panics(&Device::cpu())
}
