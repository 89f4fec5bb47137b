//! The whole contract of cross-entropy on the GPU.

use wgpu_mlp::{DebugOptions, GpuOptions};

use crate::common::{self, Trial};
use crate::contract;

pub fn trials() -> Vec<Trial> {
    let guarded =
        || GpuOptions { debug: DebugOptions { guarded_buffers: true, ..Default::default() }, ..Default::default() };
    // Rows are read piece by piece only with thousands of classes. Here matrices are split between rows.
    let narrow = GpuOptions { debug: DebugOptions { max_binding_bytes: Some(256), ..guarded().debug }, ..guarded() };
    let lanes = |lanes| GpuOptions { debug: DebugOptions { row_lanes: Some(lanes), ..guarded().debug }, ..guarded() };
    let mut trials = Vec::new();
    for (name, options) in [
        ("", guarded()),
        (", narrow bindings", narrow),
        (", 16 lanes a row", lanes(16)),
        (", 128 lanes a row", lanes(128)),
    ] {
        let name = format!("every combination is as PyTorch defines it{name}");
        trials.push(common::trial(name, options, |device| Ok(contract::every_combination(device)?)));
    }
    trials.push(common::trial("a mean over nothing is NaN and moves nothing", guarded(), |device| {
        Ok(contract::mean_over_nothing(device)?)
    }));
    trials.push(common::trial("a class that is ruled out costs nothing without a share", guarded(), |device| {
        Ok(contract::ruled_out(device)?)
    }));
    trials
}
