//! Tests of callbacks, best epochs, the state of partial fits, weights of classes, and scores, on the CPU path.

#![allow(clippy::unwrap_used, reason = "tests")]

use wgpu_mlp::Device;

use crate::training;

#[test]
fn partial_fits_begin_anew() {
    training::pieces::begin_anew(&Device::cpu()).unwrap();
}

#[test]
fn callbacks_are_told_sizes_and_sums() {
    training::watching::told(&Device::cpu()).unwrap();
}

#[test]
fn a_training_without_epochs_changes_nothing() {
    training::watching::without_epochs(&Device::cpu()).unwrap();
}

#[test]
fn errors_of_callbacks_come_back() {
    training::watching::errors(&Device::cpu()).unwrap();
}

#[test]
fn early_stopping_restores_the_best_epoch_or_does_not() {
    training::best_epoch::restored_or_not(&Device::cpu()).unwrap();
}

#[test]
fn the_best_epoch_has_the_lowest_loss() {
    training::best_epoch::without_early_stopping(&Device::cpu()).unwrap();
}

#[test]
fn an_epoch_must_be_better_by_more() {
    training::best_epoch::better_by_more(&Device::cpu()).unwrap();
}

#[test]
fn weights_of_missing_classes_change_nothing() {
    training::effects::weights_of_missing_classes(&Device::cpu()).unwrap();
}

#[test]
fn scores_of_rows_without_a_label() {
    training::scores::without_a_label(&Device::cpu()).unwrap();
}

#[test]
fn scores_of_rows_with_nan() {
    training::scores::with_nan(&Device::cpu()).unwrap();
}

#[test]
fn targets_tell_their_classes() {
    training::scores::classes_of_targets(&Device::cpu()).unwrap();
}

#[test]
fn scores_of_rows_with_ties() {
    training::scores::with_ties(&Device::cpu()).unwrap();
}

#[test]
fn logarithms_of_probabilities_next_to_nothing() {
    training::scores::next_to_nothing(&Device::cpu()).unwrap();
}

#[test]
fn scores_of_rows_with_weights() {
    training::scores::by_weight(&Device::cpu()).unwrap();
}

#[test]
fn scores_over_batches() {
    training::scores::over_batches(&Device::cpu()).unwrap();
}
