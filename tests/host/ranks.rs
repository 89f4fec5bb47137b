//! Trainings and scores over ranks, which are threads here, on the CPU path.

use ndarray::s;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, FitOptions, Mlp, Result, Trainer};

use crate::training::over_ranks::{self, Data, ROWS, WIDTHS};
use crate::training::{rank_faults, rich};

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

#[test]
fn checkpoints_are_resumed_by_any_number_of_ranks() -> Result<()> {
    over_ranks::checkpoints(&Device::cpu())
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
