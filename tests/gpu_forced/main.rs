//! Kernels are right that this device would not choose by itself: each is forced, guarded, folded and cut up.

#[path = "../common/mod.rs"]
mod common;

mod guards;
mod units;
mod variants;

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(&[("units", units::trials), ("variants", variants::trials), ("guards", guards::trials)])
}
