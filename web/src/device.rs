//! The device's description for the page.

use wasm_bindgen::prelude::*;
use wgpu_mlp::{Device, DeviceKind};

use crate::js::{Answer, failed, object, refused};

/// Opens a GPU (or the software driver that the browser offers instead), or the CPU path.
pub async fn open(kind: &str) -> Answer<Device> {
    match kind {
        "gpu" => Device::gpu_async().await.map_err(failed),
        "cpu" => Ok(Device::cpu()),
        _ => Err(refused("the device must be gpu or cpu")),
    }
}

/// The device's kind, names and limits.
pub fn describe(device: &Device) -> JsValue {
    let info = device.info();
    let (kind, long) = match info.kind {
        DeviceKind::Gpu => ("gpu", "hardware GPU"),
        DeviceKind::SoftwareDriver => ("gpu", "software driver: a GPU driver that computes on the CPU"),
        DeviceKind::Cpu => ("cpu", "the crate's own CPU path, in WebAssembly"),
        _ => ("gpu", "GPU"),
    };
    let limits = match kind {
        "cpu" => "none but the module's memory, which is at most 4 GiB".to_owned(),
        _ => {
            let subgroups = if info.subgroups { "with" } else { "without" };
            let [binding, buffer] = [info.max_binding_bytes, info.max_buffer_bytes].map(|bytes| bytes >> 20);
            format!("bindings of {binding} MiB, buffers of {buffer} MiB, {subgroups} subgroup operations")
        }
    };
    object([
        ("kind", kind.into()),
        ("software", (info.kind == DeviceKind::SoftwareDriver).into()),
        ("kindName", long.into()),
        ("name", info.name.as_str().into()),
        ("backend", info.backend.as_str().into()),
        ("driver", info.driver.as_str().into()),
        ("reason", info.reason.as_str().into()),
        ("limits", limits.into()),
    ])
}

/// Counts of the device's work so far.
pub fn counters(device: &Device) -> JsValue {
    let counters = device.counters();
    let number = |value: u64| JsValue::from_f64(value as f64);
    object([
        ("dispatches", number(counters.dispatches)),
        ("submits", number(counters.submits)),
        ("waits", number(counters.waits)),
        ("allocations", number(counters.allocations)),
        ("pipelines", number(counters.pipelines)),
        ("allocatedBytes", number(counters.memory_bytes)),
        ("peakBytes", number(counters.peak_memory_bytes)),
    ])
}
