//! Errors of a device are typed, and the next call works: bad operands, limits, memory, lost devices.

#[path = "../common/mod.rs"]
mod common;

mod callers_buffers;
mod class_ids;
mod copies;
mod errors;
mod limits;
mod lost;
mod sizes;

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(&[
        ("errors", errors::trials),
        ("sizes", sizes::trials),
        ("limits", limits::trials),
        ("callers_buffers", callers_buffers::trials),
        ("class_ids", class_ids::trials),
        ("lost", lost::trials),
        ("copies", copies::trials),
    ])
}
