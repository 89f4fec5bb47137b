//! Measures the times of one case: upload, first call, warm calls, readback. Before that it checks the answer.

use std::time::Instant;

use wgpu_mlp::verify::Worst;
use wgpu_mlp::{Device, DeviceKind, GpuOptions, Result};

use crate::cases::{Call, Case};
use crate::ceilings::{self, Ceilings};
use crate::timing::median;

/// Calls that take longer than this have a wait each, because the latency of the wait does not matter then.
const LONG_CALL: f64 = 0.020;
/// The total time of the calls between two waits, if they are shorter.
const BATCH_SECONDS: f64 = 0.040;
const MOST_CALLS: f64 = 256.0;
/// How long a GPU works before it is timed: while it compiled, and the answer was checked, its clock may have gone down.
const WARM_SECONDS: f64 = 0.2;
/// How often uploads and readbacks are timed, and after how many seconds no more are timed.
const TRANSFERS: usize = 3;
const TRANSFER_SECONDS: f64 = 0.5;

/// The outcome of a case.
pub(crate) enum Outcome {
    Timed(Timing),
    /// Not timed: the answer differs from the CPU path's.
    Wrong(Worst),
}

/// Times in seconds.
pub(crate) struct Timing {
    /// The median of the repeats.
    pub(crate) call: f64,
    /// The first call on a new device, with all compilation.
    pub(crate) first_call: f64,
    /// The pipelines that were compiled for it.
    pub(crate) pipelines: u64,
    pub(crate) upload: Transfer,
    /// None if the op itself has waited for its answer.
    pub(crate) readback: Option<Transfer>,
    /// The roofs while this case was timed, in FLOP/s and bytes/s.
    pub(crate) multiply_add_meanwhile: f64,
    pub(crate) copy_meanwhile: f64,
}

pub(crate) struct Transfer {
    pub(crate) seconds: f64,
    pub(crate) bytes: f64,
}

/// Checks the case's answer, and times it together with the roofs.
pub(crate) fn measure(
    case: &Case,
    options: &GpuOptions,
    repeats: usize,
    ceilings: &mut Ceilings,
) -> ceilings::Result<Outcome> {
    // The case has its own device, without compiled kernels and pooled buffers.
    let device = Device::gpu_with(options)?;
    let inputs = case.inputs()?;
    let (mut call, upload) = transfer(|| {
        let call = case.load(&device, &inputs)?;
        device.wait()?;
        Ok(call)
    })?;
    let elements = inputs.matrices.iter().map(|matrix| matrix.len()).sum::<usize>() + inputs.classes.len();
    let upload = Transfer { seconds: upload, bytes: 4.0 * elements as f64 };

    let compiled = device.counters().pipelines;
    let start = Instant::now();
    let answer = call()?;
    device.wait()?;
    let first_call = start.elapsed().as_secs_f64();
    let pipelines = device.counters().pipelines - compiled;

    let (values, readback) = transfer(|| answer.read())?;
    let bytes = 4.0 * values.iter().map(|values| values.len()).sum::<usize>() as f64;
    let readback = answer.is_on_device().then_some(Transfer { seconds: readback, bytes });
    let worst = case.check(&inputs, &values)?;
    if !worst.passed() {
        return Ok(Outcome::Wrong(worst));
    }
    // In-place ops copy an operand that has another handle.
    drop((values, answer, inputs));

    if device.info().kind == DeviceKind::Gpu {
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < WARM_SECONDS {
            seconds_a_call(&mut call, &device, 1)?;
        }
    }
    let calls = calls_a_wait(&mut call, &device)?;
    let first_sample = ceilings.samples();
    let mut samples = Vec::new();
    for _ in 0..repeats {
        ceilings.sample()?;
        samples.push(seconds_a_call(&mut call, &device, calls)?);
    }
    Ok(Outcome::Timed(Timing {
        call: median(&samples),
        first_call,
        pipelines,
        upload,
        readback,
        multiply_add_meanwhile: ceilings.multiply_add.rate_since(first_sample),
        copy_meanwhile: ceilings.copy.rate_since(first_sample),
    }))
}

/// How many calls share a wait.
fn calls_a_wait(call: &mut Call, device: &Device) -> Result<u32> {
    let seconds = seconds_a_call(call, device, 1)?.min(seconds_a_call(call, device, 1)?);
    Ok(if seconds > LONG_CALL { 1 } else { (BATCH_SECONDS / seconds).ceil().min(MOST_CALLS) as u32 })
}

fn seconds_a_call(call: &mut Call, device: &Device, calls: u32) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..calls {
        call()?;
    }
    device.wait()?;
    Ok(start.elapsed().as_secs_f64() / f64::from(calls))
}

/// Transfers a few times; gives the last result and the median of the seconds.
fn transfer<T>(run: impl Fn() -> Result<T>) -> Result<(T, f64)> {
    let mut seconds = Vec::new();
    loop {
        let start = Instant::now();
        let result = run()?;
        seconds.push(start.elapsed().as_secs_f64());
        if seconds.len() == TRANSFERS || seconds.iter().sum::<f64>() > TRANSFER_SECONDS {
            return Ok((result, median(&seconds)));
        }
    }
}
