//! What a device cannot do is a typed error, and the next call works: bad operands, limits, memory, lost devices.

#[path = "../common/mod.rs"]
mod common;

mod errors;
mod limits;

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(&[("errors", errors::trials), ("limits", limits::trials)])
}
