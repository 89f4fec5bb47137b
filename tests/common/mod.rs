//! What the GPU tests share: the device they run on, how they skip, and which cases they take.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::env;
use std::io::Write;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use wgpu_mlp::{Device, GpuOptions};

/// Whether the user asked for a run without a GPU.
pub fn skipping() -> bool {
    env::var_os("WGPU_MLP_SKIP_GPU").is_some()
}

/// Whether the long cases run too.
pub fn full_cases() -> bool {
    env::var("WGPU_MLP_CASES").as_deref() != Ok("reduced")
}

/// Prints past the test runner's capture.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The GPU device under test, and that it is the one the run is about.
pub fn device(options: &GpuOptions) -> Result<Device, Failed> {
    let device = Device::gpu_with(options).map_err(|error| {
        format!(
            "{error}; install a driver (Debian, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1) or set \
             WGPU_MLP_SKIP_GPU=1 to skip the GPU tests"
        )
    })?;
    let info = device.info();
    let expected = match env::var("WGPU_MLP_STACK").as_deref() {
        Ok("lavapipe") => info.backend == "vulkan" && info.name.contains("llvmpipe"),
        Ok("gl") => info.backend == "gl",
        Ok("swiftshader") => info.name.contains("SwiftShader"),
        Ok("gpu") => info.kind == wgpu_mlp::DeviceKind::Gpu,
        _ => true,
    };
    if !expected {
        return Err(format!("the run is about {:?}, but the device is {info}", env::var("WGPU_MLP_STACK")).into());
    }
    Ok(device)
}

/// A trial on a device opened with these options; skipped, and said so, when the user asked for that.
pub fn trial(
    name: impl Into<String>,
    options: GpuOptions,
    test: impl FnOnce(&Device) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    Trial::test(name, move || test(&device(&options)?)).with_ignored_flag(skipping())
}

/// Runs the trials of a test file.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    if skipping() {
        say(&format!("skipped: {} GPU tests, since WGPU_MLP_SKIP_GPU is set", trials.len()));
    }
    // A software driver keeps every core busy by itself.
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The same bits, NaN for NaN.
pub fn same_bits(left: &[ndarray::Array2<f32>], right: &[ndarray::Array2<f32>]) -> bool {
    let bits = |all: &[ndarray::Array2<f32>]| -> Vec<Vec<u32>> {
        all.iter().map(|x| x.iter().map(|x| x.to_bits()).collect()).collect()
    };
    bits(left) == bits(right)
}
