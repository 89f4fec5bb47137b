//! Every case of the table on the GPU, each a test of its own, with run-time checks off and on.

use std::sync::{Arc, OnceLock};

use libtest_mimic::Failed;
use wgpu_mlp::verify::{self, Case};
use wgpu_mlp::{Device, GpuOptions};

use crate::common::{self, Trial};

const SEED: u64 = 1;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for runtime_checks in [false, true] {
        // All cases use one device, so that an error that leaks from one case into the next is noticed.
        let shared: Arc<OnceLock<Result<Device, String>>> = Arc::default();
        for case in verify::cases() {
            // With the checks on, the small cases are enough: they compile every variant.
            if case.large && (runtime_checks || !common::full_cases()) {
                continue;
            }
            let options = GpuOptions { runtime_checks, ..Default::default() };
            let name = format!("{case}{}", if runtime_checks { " [checked]" } else { "" });
            let shared = shared.clone();
            let test = move || verify_case(&case, shared.get_or_init(|| open(&options)));
            trials.push(Trial::test(name, test).with_ignored_flag(common::skipping()));
        }
    }
    if !common::full_cases() {
        let large = verify::cases().iter().filter(|case| case.large).count();
        common::say(&format!("skipped: {large} large cases, since this stack is slow"));
    }
    trials
}

fn open(options: &GpuOptions) -> Result<Device, String> {
    common::device(options).map_err(|failed| failed.message().unwrap_or_default().to_owned())
}

fn verify_case(case: &Case, device: &Result<Device, String>) -> Result<(), Failed> {
    let device = device.as_ref().map_err(|message| message.as_str())?;
    let worst = case.verify(device, SEED)?;
    if worst.passed() { Ok(()) } else { Err(format!("{case}, seed {SEED}: {worst}").into()) }
}
