//! Training on the device: how many launches and bytes it takes, the same bits every time, and the promises of a fit.

#[path = "../common/mod.rs"]
mod common;
#[path = "../training/mod.rs"]
mod training;

mod bits;
mod fit;
mod launches;
mod optimizers;
mod prepare;
mod ranks;
mod steps;
mod tuning;

use std::process::ExitCode;

fn main() -> ExitCode {
    bits::child().unwrap_or_else(|| {
        common::run(&[
            ("steps", steps::trials),
            ("launches", launches::trials),
            ("optimizers", optimizers::trials),
            ("fit", fit::trials),
            ("bits", bits::trials),
            ("tuning", tuning::trials),
            ("prepare", prepare::trials),
            ("ranks", ranks::trials),
        ])
    })
}
