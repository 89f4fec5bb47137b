//! Many at once on one device: futures that are awaited, and threads that share it.

#[path = "../awaiting/mod.rs"]
mod awaiting;
#[path = "../common/mod.rs"]
mod common;

mod async_forms;
mod threads;

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(&[("async_forms", async_forms::trials), ("threads", threads::trials)])
}
