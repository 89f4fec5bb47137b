//! Schedules of learning rates and warm-ups, compared with values from another program.

#![allow(clippy::unwrap_used, reason = "tests")]

use wgpu_mlp::{LearningRate, Schedule, ScheduleState};

/// The rates of the next epochs, each of which has this loss.
fn rates(schedule: Schedule, losses: &[f64]) -> Vec<f64> {
    let mut state = ScheduleState::new(schedule.into(), 0.1).unwrap();
    let mut rates = vec![state.rate()];
    for loss in losses {
        // The schedule is restored from its exported progress, which must be its complete state.
        let progress = state.progress();
        state = ScheduleState::new(schedule.into(), 0.1).unwrap().with_progress(progress);
        state.end_of_epoch(*loss);
        rates.push(state.rate());
    }
    rates
}

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    let near = got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-12);
    assert!(near, "{got:?}, not {want:?}");
}

/// Compared with the recursive formulas of torch.optim.lr_scheduler, evaluated in another program.
#[test]
fn schedules_are_those_of_pytorch() {
    close(&rates(Schedule::Constant, &[1.0; 2]), &[0.1; 3]);
    close(&rates(Schedule::Step { every: 3, factor: 0.5 }, &[1.0; 6]), &[0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025]);
    close(&rates(Schedule::Exponential { factor: 0.9 }, &[1.0; 4]), &[0.1, 0.09, 0.081, 0.0729, 0.06561]);
    let cosine = [0.1, 0.09140576474687263, 0.06890576474687263, 0.04109423525312736, 0.018594235253127367, 0.01, 0.01];
    close(&rates(Schedule::Cosine { epochs: 5, minimum: 0.01 }, &[1.0; 6]), &cosine);
    let losses = [1.0, 0.8, 0.79, 0.5, 0.5, 0.499, f64::NAN, 0.49, 0.6, 0.7, 0.8, 0.9, 0.9, 0.9, 0.4];
    let plateau = Schedule::OnPlateau { factor: 0.1, patience: 2, threshold: 0.01, minimum: 0.0005 };
    let want = [vec![0.1; 7], vec![0.01; 4], vec![0.001; 3], vec![0.0005; 2]].concat();
    close(&rates(plateau, &losses), &want);
    // A minimum above the first rate does not raise it.
    let plateau = Schedule::OnPlateau { factor: 0.1, patience: 0, threshold: 0.0, minimum: 0.5 };
    close(&rates(plateau, &[1.0; 4]), &[0.1; 5]);
}

#[test]
fn a_warm_up_is_linear_over_the_steps() {
    let schedule = Schedule::Step { every: 1, factor: 0.5 };
    let mut state = ScheduleState::new(LearningRate { schedule, warm_up_steps: 4 }, 0.1).unwrap();
    let mut rates = Vec::new();
    for step in 0..6 {
        rates.push(state.rate());
        state.end_of_step();
        if step == 4 {
            state.end_of_epoch(1.0);
        }
    }
    close(&rates, &[0.025, 0.05, 0.075, 0.1, 0.1, 0.05]);
}

#[test]
fn schedules_out_of_range_are_refused() {
    let refused = |schedule: Schedule, words: &str| {
        let error = ScheduleState::new(schedule.into(), 0.1).unwrap_err();
        assert_eq!(error.to_string(), format!("schedule: {words}"));
    };
    refused(Schedule::Step { every: 0, factor: 0.5 }, "every must be at least 1; got 0");
    refused(Schedule::Step { every: 1, factor: 0.0 }, "factor must be positive and finite; got 0");
    refused(Schedule::Exponential { factor: f64::INFINITY }, "factor must be positive and finite; got inf");
    refused(Schedule::Cosine { epochs: 0, minimum: 0.0 }, "epochs must be at least 1; got 0");
    refused(Schedule::Cosine { epochs: 1, minimum: -1.0 }, "minimum must be at least 0 and finite; got -1");
    let plateau = |factor, threshold| Schedule::OnPlateau { factor, patience: 1, threshold, minimum: 0.0 };
    refused(plateau(1.0, 0.1), "factor must be above 0 and below 1; got 1");
    refused(plateau(0.5, 1.0), "threshold must be from 0 up to but not including 1; got 1");
    let rate = ScheduleState::new(Default::default(), f64::NAN).unwrap_err();
    assert_eq!(rate.to_string(), "schedule: learning_rate must be at least 0 and finite; got NaN");
}
