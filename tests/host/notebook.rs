//! The devices that the example `notebook` takes by itself.

#![allow(clippy::unwrap_used, reason = "tests")]

use wgpu_mlp::{Device, DeviceKind, Error};

#[path = "../../examples/notebook/choice.rs"]
mod choice;

#[test]
fn the_cpu_path_is_left_if_no_gpu_opens() {
    let weak = || Error::Limit { op: "device", what: "threads a workgroup", needed: 256, allowed: 128 };
    let missing = || Error::NoAdapter { wanted: "a GPU".into(), found: Vec::new() };
    for (error, by_name) in [(weak(), false), (weak(), true), (missing(), false)] {
        let words = error.to_string();
        let (devices, reason) = choice::of_auto(Err(error), by_name).unwrap();
        assert_eq!(devices.iter().map(|device| device.info().kind).collect::<Vec<_>>(), [DeviceKind::Cpu]);
        assert_eq!(reason.unwrap().to_string(), words);
    }
    // An adapter that was asked for by name must be there.
    assert!(matches!(choice::of_auto(Err(missing()), true), Err(Error::NoAdapter { .. })));
    let (devices, reason) = choice::of_auto(Ok(Device::cpu()), false).unwrap();
    assert!(devices.len() == 2 && reason.is_none());
}
