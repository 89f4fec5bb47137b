//! Tests of training on the GPU.

use wgpu_mlp::{Device, GpuOptions, Result};

use crate::common::{self, Trial};
use crate::training;

pub fn trials() -> Vec<Trial> {
    type Test = fn(&Device) -> Result<()>;
    let tests: [(&str, Test); 50] = [
        ("a checkpoint continues to the same bits", training::checkpoints),
        ("early stopping ends in time with the best parameters", training::early_stopping),
        ("what turns into NaN is named and undone", training::non_finite),
        ("rows without weight or label do not count", training::ignored::left_out),
        ("callbacks see everything and change nothing", training::callbacks),
        ("partial fits are the steps of a fit", training::partial_fits),
        ("overflowing updates are undone", training::undone::overflowing_updates),
        ("overflowing optimizers are undone", training::undone::overflowing_optimizers),
        ("any label can mark rows that do not count", training::ignored::any_label),
        ("a callback ends a training in a step", training::stopped::in_a_step),
        ("a callback cuts a long epoch short", training::stopped::in_a_long_epoch),
        ("wild rates leave the checkpoint alone", training::wild::wild_rates),
        ("infinities that no loss shows are found", training::wild::hidden_infinities),
        ("partial fits are undone and go on", training::undone::partial_fits_undone),
        ("rows that do not count are named where they spoil the gradients", training::undone::rows_that_do_not_count),
        ("parameters given as NaN are named", training::undone::parameters_given_as_nan),
        ("NaN in the validation stops or is named", training::undone::validation_with_nan),
        ("a callback's error leaves finite parameters", training::undone::behind_a_callbacks_error),
        ("the validation leaves the ignored class out", training::validation::without_the_ignored_class),
        ("rows held back keep their weights", training::validation::with_the_rows_weights),
        ("workers read the rows to validate on", training::validation::read_by_workers),
        ("partial fits take new learning rates", training::pieces::new_learning_rates),
        ("partial fits take and leave clipping and penalties", training::pieces::clipping_and_penalties_come_and_go),
        ("partial fits go on with the schedule", training::pieces::schedules_go_on),
        ("partial fits begin anew", training::pieces::begin_anew),
        ("callbacks are told sizes and sums", training::watching::told),
        ("a training without epochs", training::watching::without_epochs),
        ("errors of callbacks come back", training::watching::errors),
        ("early stopping restores the best epoch or does not", training::best_epoch::restored_or_not),
        ("the best epoch has the lowest loss", training::best_epoch::without_early_stopping),
        ("an epoch must be better by more", training::best_epoch::better_by_more),
        ("scores of rows without a label", training::scores::without_a_label),
        ("scores of rows with NaN", training::scores::with_nan),
        ("targets tell their classes", training::scores::classes_of_targets),
        ("scores of rows with ties", training::scores::with_ties),
        ("logarithms of probabilities next to nothing", training::scores::next_to_nothing),
        ("scores over batches", training::scores::over_batches),
        ("losses by weight", training::scores::by_weight),
        ("every option reaches the steps", training::effects::steps_by_hand),
        ("learning rates follow their schedule", training::effects::learning_rates),
        ("balanced classes weigh as told", training::effects::balanced),
        ("weights of missing classes change nothing", training::effects::weights_of_missing_classes),
        ("dropout goes back as the layers do", training::effects::dropout_by_layers),
        ("every source gives the bits of its array", training::sources::as_the_array),
        ("long batches are read in pieces", training::sources::long_batches),
        ("a source that fails leaves the model whole", training::broken_sources::failures),
        ("a partial fit goes on behind a source that failed", training::broken_sources::partial_failures),
        ("a source that fails in an epoch", training::broken_sources::failures_in_an_epoch),
        ("workers read a source at once", training::broken_sources::workers_read_at_once),
        ("a source that lies", training::broken_sources::lies),
    ];
    let trial = |(name, test): (&'static str, Test)| {
        common::trial(name, GpuOptions::default(), move |device| Ok(test(device)?))
    };
    tests.into_iter().map(trial).collect()
}
