//! Trainings and scores over ranks, which are threads here, on the CPU path.

use wgpu_mlp::{Device, Result};

use crate::training::{over_ranks, rank_faults};

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

#[test]
fn ranks_that_differ_are_told_so() -> Result<()> {
    over_ranks::differences(&Device::cpu())
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
