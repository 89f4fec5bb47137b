//! Tests of training on the CPU path.

#![allow(clippy::unwrap_used, reason = "tests")]

use wgpu_mlp::{
    ClassWeights, Device, EarlyStopping, Error, FitOptions, Mlp, Monitor, Optimizer, OptimizerSnapshot, OptimizerState,
    Plan, Schedule, ScheduleProgress, ScheduleState, Trainer,
};

use crate::training;

#[test]
fn a_checkpoint_continues_to_the_same_bits() {
    training::checkpoints(&Device::cpu()).unwrap();
}

#[test]
fn early_stopping_ends_in_time_with_the_best_parameters() {
    training::early_stopping(&Device::cpu()).unwrap();
}

#[test]
fn what_turns_into_nan_is_named_and_undone() {
    training::non_finite(&Device::cpu()).unwrap();
}

#[test]
fn rows_without_weight_or_label_do_not_count() {
    training::ignored::left_out(&Device::cpu()).unwrap();
}

#[test]
fn callbacks_see_everything_and_change_nothing() {
    training::callbacks(&Device::cpu()).unwrap();
}

#[test]
fn partial_fits_are_the_steps_of_a_fit() {
    training::partial_fits(&Device::cpu()).unwrap();
}

#[test]
fn overflowing_updates_are_undone() {
    training::undone::overflowing_updates(&Device::cpu()).unwrap();
}

#[test]
fn overflowing_optimizers_are_undone() {
    training::undone::overflowing_optimizers(&Device::cpu()).unwrap();
}

#[test]
fn every_source_gives_the_bits_of_its_array() {
    training::sources::as_the_array(&Device::cpu()).unwrap();
}

#[test]
fn long_batches_are_read_in_pieces() {
    training::sources::long_batches(&Device::cpu()).unwrap();
}

#[test]
fn a_source_that_fails_leaves_the_model_whole() {
    training::broken_sources::failures(&Device::cpu()).unwrap();
}

#[test]
fn a_partial_fit_goes_on_behind_a_source_that_failed() {
    training::broken_sources::partial_failures(&Device::cpu()).unwrap();
}

#[test]
fn a_source_that_fails_in_an_epoch() {
    training::broken_sources::failures_in_an_epoch(&Device::cpu()).unwrap();
}

#[test]
fn workers_read_a_source_at_once() {
    training::broken_sources::workers_read_at_once(&Device::cpu()).unwrap();
}

#[test]
fn a_source_that_lies() {
    training::broken_sources::lies(&Device::cpu()).unwrap();
}

#[test]
fn any_label_can_mark_rows_that_do_not_count() {
    training::ignored::any_label(&Device::cpu()).unwrap();
}

#[test]
fn a_callback_ends_a_training_in_a_step() {
    training::stopped::in_a_step(&Device::cpu()).unwrap();
}

#[test]
fn a_callback_cuts_a_long_epoch_short() {
    training::stopped::in_a_long_epoch(&Device::cpu()).unwrap();
}

#[test]
fn wild_rates_leave_the_checkpoint_alone() {
    training::wild::wild_rates(&Device::cpu()).unwrap();
}

#[test]
fn infinities_that_no_loss_shows_are_found() {
    training::wild::hidden_infinities(&Device::cpu()).unwrap();
}

#[test]
fn partial_fits_are_undone_and_go_on() {
    training::undone::partial_fits_undone(&Device::cpu()).unwrap();
}

#[test]
fn rows_that_do_not_count_are_named_where_they_spoil_the_gradients() {
    training::undone::rows_that_do_not_count(&Device::cpu()).unwrap();
}

#[test]
fn parameters_given_as_nan_are_named() {
    training::undone::parameters_given_as_nan(&Device::cpu()).unwrap();
}

#[test]
fn nan_in_the_validation_stops_or_is_named() {
    training::undone::validation_with_nan(&Device::cpu()).unwrap();
}

#[test]
fn a_callbacks_error_leaves_finite_parameters() {
    training::undone::behind_a_callbacks_error(&Device::cpu()).unwrap();
}

#[test]
fn the_validation_leaves_the_ignored_class_out() {
    training::validation::without_the_ignored_class(&Device::cpu()).unwrap();
}

#[test]
fn rows_held_back_keep_their_weights() {
    training::validation::with_the_rows_weights(&Device::cpu()).unwrap();
}

#[test]
fn workers_read_the_rows_to_validate_on() {
    training::validation::read_by_workers(&Device::cpu()).unwrap();
}

#[test]
fn partial_fits_take_new_learning_rates() {
    training::pieces::new_learning_rates(&Device::cpu()).unwrap();
}

#[test]
fn partial_fits_take_and_leave_clipping_and_penalties() {
    training::pieces::clipping_and_penalties_come_and_go(&Device::cpu()).unwrap();
}

#[test]
fn partial_fits_go_on_with_the_schedule() {
    training::pieces::schedules_go_on(&Device::cpu()).unwrap();
}

#[test]
fn every_option_reaches_the_steps() {
    training::effects::steps_by_hand(&Device::cpu()).unwrap();
}

#[test]
fn learning_rates_follow_their_schedule() {
    training::effects::learning_rates(&Device::cpu()).unwrap();
}

#[test]
fn balanced_classes_weigh_as_told() {
    training::effects::balanced(&Device::cpu()).unwrap();
}

#[test]
fn dropout_goes_back_as_the_layers_do() {
    training::effects::dropout_by_layers(&Device::cpu()).unwrap();
}

/// Options that no fit accepts, each with the message of its error.
fn senseless_options() -> [(FitOptions, &'static str); 12] {
    let plain = FitOptions::default;
    [
        (FitOptions { workers: 1025, ..plain() }, "fit: workers must be at most 1024; got 1025"),
        (FitOptions { batch: 0, ..plain() }, "fit: batch must be at least 1; got 0"),
        (
            FitOptions { validation_fraction: 1.0, ..plain() },
            "fit: validation_fraction must be from 0 up to but not including 1; got 1",
        ),
        (FitOptions { dropout: 1.0, ..plain() }, "fit: dropout must be from 0 up to but not including 1; got 1"),
        (FitOptions { label_smoothing: 2.0, ..plain() }, "fit: label_smoothing must be from 0 to 1; got 2"),
        (FitOptions { clip_norm: Some(0.0), ..plain() }, "fit: clip_norm must be positive and finite; got 0"),
        (
            FitOptions { class_weights: ClassWeights::Each(vec![1.0; 2]), ..plain() },
            "fit: there must be a class weight for each class; got 1x2 and 1x3",
        ),
        (
            FitOptions { early_stopping: Some(EarlyStopping::default()), ..plain() },
            "fit: early stopping watches the validation, and there is none: set validation_fraction, pass a validation \
             set, or watch Monitor::Loss",
        ),
        (
            FitOptions {
                early_stopping: Some(EarlyStopping { monitor: Monitor::Loss, patience: 0, ..Default::default() }),
                ..plain()
            },
            "fit: patience must be at least 1; got 0",
        ),
        (
            FitOptions {
                early_stopping: Some(EarlyStopping {
                    monitor: Monitor::Loss,
                    min_delta: f64::NAN,
                    ..Default::default()
                }),
                ..plain()
            },
            "fit: min_delta must be at least 0 and finite; got NaN",
        ),
        (
            FitOptions { class_weights: ClassWeights::Each(vec![1.0, -1.0, 2.0]), ..plain() },
            "fit: the weight of class 1 is -1; weights are finite and not negative",
        ),
        (
            FitOptions { class_weights: ClassWeights::Each(vec![1.0, 1.0, f32::NAN]), ..plain() },
            "fit: the weight of class 2 is NaN; weights are finite and not negative",
        ),
    ]
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let (x, labels) = training::blobs(30, 8);
    let fit = |options: FitOptions| {
        let mut model = Mlp::new(&Device::cpu(), &[4, 8, 3], 1).unwrap();
        model.fit(x.view(), &labels, &options).unwrap_err().to_string()
    };
    for (options, words) in senseless_options() {
        assert_eq!(fit(options), words);
    }
    let mut model = Mlp::new(&Device::cpu(), &[4, 8, 3], 1).unwrap();
    let options = FitOptions::default();
    let error = Trainer::new(&options).row_weights(&[1.0]).fit(&mut model, x.view(), &labels).unwrap_err();
    assert_eq!(error.to_string(), "fit: there must be a weight for each row; got 30x4 and 1x1");
    let error = Trainer::new(&options).validation_set(x.view(), &[0u8]).fit(&mut model, x.view(), &labels).unwrap_err();
    assert!(matches!(error, Error::Shape { op: "validation", .. }), "{error}");
    for bad in [f32::NAN, -1.0, f32::INFINITY] {
        let mut weights = [1.0; 30];
        weights[17] = bad;
        let error = Trainer::new(&options).row_weights(&weights).fit(&mut model, x.view(), &labels).unwrap_err();
        assert!(matches!(error, Error::Weight { what: "row", index: 17, .. }), "{error}");
    }
}

#[test]
fn counts_near_their_end_neither_overflow_nor_wrap() {
    let snapshot = |step| OptimizerSnapshot { step, ..Default::default() };
    let error = OptimizerState::restore(Optimizer::sgd(0.1), snapshot(u64::MAX)).unwrap_err();
    assert!(matches!(error, Error::Option { option: "step", .. }), "{error}");
    let last = OptimizerState::restore(Optimizer::sgd(0.1), snapshot(1 << 53)).unwrap();
    assert_eq!(last.steps(), 1 << 53);

    let plateau = Schedule::OnPlateau { factor: 0.5, patience: 0, threshold: 0.0, minimum: 0.0 };
    let ends = ScheduleProgress {
        steps: u64::MAX,
        epochs: u64::MAX,
        best_loss: 0.0,
        stale_epochs: u64::MAX,
        reductions: u64::MAX,
    };
    let mut schedule = ScheduleState::new(plateau.into(), 1.0).unwrap().with_progress(ends);
    schedule.end_of_step();
    schedule.end_of_epoch(1.0);
    assert_eq!((schedule.progress().steps, schedule.progress().reductions), (u64::MAX, u64::MAX));
    assert_eq!(schedule.rate(), 0.0);

    // The whole data set is one batch, for any number of rows.
    let options = FitOptions { batch: usize::MAX, ..Default::default() };
    let plan = Plan::training_step(&Device::cpu(), &[784, 10], &options).unwrap();
    assert!(matches!(plan.obstacle, Some(Error::Limit { .. })), "{plan}");
    let options = FitOptions { epochs: usize::MAX, early_stopping: Some(patient(1)), ..options };
    let (x, labels) = training::blobs(30, 8);
    let mut model = Mlp::new(&Device::cpu(), &[4, 8, 3], 1).unwrap();
    let still = FitOptions { optimizer: Optimizer::sgd(0.0), ..options };
    assert_eq!(model.fit(x.view(), &labels, &still).unwrap().epochs.len(), 2);
}

fn patient(patience: usize) -> EarlyStopping {
    EarlyStopping { monitor: Monitor::Loss, patience, ..Default::default() }
}
