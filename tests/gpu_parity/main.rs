//! Results on the device are right: every case of the table, random draws, and the contract of cross-entropy.

#[path = "../common/mod.rs"]
mod common;
#[path = "../contract/mod.rs"]
mod contract;

mod cases;
mod cross_entropy;
mod draws;
mod random;

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(&[("cases", cases::trials), ("random", draws::trials), ("cross_entropy", cross_entropy::trials)])
}
