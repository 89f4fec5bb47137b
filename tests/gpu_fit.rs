//! What training promises, on the GPU.

mod common;
mod training;

use std::process::ExitCode;

use wgpu_mlp::{Device, GpuOptions, Result};

fn main() -> ExitCode {
    type Test = fn(&Device) -> Result<()>;
    let tests: [(&str, Test); 6] = [
        ("a checkpoint continues to the same bits", training::checkpoints),
        ("early stopping ends in time with the best parameters", training::early_stopping),
        ("what turns into NaN is named and undone", training::non_finite),
        ("rows without weight or label do not count", training::weights_and_ignored_rows),
        ("callbacks see everything and change nothing", training::callbacks),
        ("partial fits are the steps of a fit", training::partial_fits),
    ];
    let trial = |(name, test): (&'static str, Test)| {
        common::trial(name, GpuOptions::default(), move |device| Ok(test(device)?))
    };
    common::run(tests.into_iter().map(trial).collect())
}
