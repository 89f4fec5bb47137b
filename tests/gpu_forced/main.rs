//! Kernels that this device would not choose by itself give right results: each is forced, guarded, folded and split.

#[path = "../common/mod.rs"]
mod common;

mod guards;
mod units;
mod variants;

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(&[("units", units::trials), ("variants", variants::trials), ("guards", guards::trials)])
}
