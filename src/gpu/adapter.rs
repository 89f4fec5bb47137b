//! Choosing an adapter, with wgpu's own environment variables honoured.

use crate::error::{Error, Result};
use crate::options::GpuOptions;

/// An adapter, and why it was the one.
pub(crate) struct Choice {
    pub adapter: wgpu::Adapter,
    pub reason: String,
}

/// Takes the best adapter that the options and the environment allow.
///
/// `WGPU_BACKEND`, `WGPU_ADAPTER_NAME` and `WGPU_POWER_PREF` count as if they had been passed; a software driver is
/// taken when `software` allows it or when it is asked for by name.
pub(crate) async fn choose(options: &GpuOptions, software: bool) -> Result<Choice> {
    let name = options.adapter_name.clone().or_else(|| std::env::var("WGPU_ADAPTER_NAME").ok());
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    if options.validation {
        descriptor.flags |= wgpu::InstanceFlags::VALIDATION;
    }
    let descriptor = descriptor.with_env();
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = instance.enumerate_adapters(backends).await;
    adapters.sort_by_key(rank);
    let found = adapters.iter().map(describe).collect();
    let wanted = |adapter: &wgpu::Adapter| match &name {
        Some(name) => adapter.get_info().name.to_lowercase().contains(&name.to_lowercase()),
        None => software || adapter.get_info().device_type != wgpu::DeviceType::Cpu,
    };
    let usable = |adapter: &wgpu::Adapter| {
        adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    };
    match adapters.into_iter().find(|adapter| wanted(adapter) && usable(adapter)) {
        Some(adapter) => Ok(Choice { reason: reason(&adapter, name.as_deref()), adapter }),
        None => Err(Error::NoAdapter { wanted: describe_wish(name.as_deref(), backends, software), found }),
    }
}

/// Lower is better: real GPUs before software, the preferred kind of GPU first, modern backends before GL.
fn rank(adapter: &wgpu::Adapter) -> (u8, u8) {
    let info = adapter.get_info();
    let low_power = wgpu::PowerPreference::from_env() == Some(wgpu::PowerPreference::LowPower);
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => u8::from(low_power),
        wgpu::DeviceType::IntegratedGpu => u8::from(!low_power),
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    (kind, u8::from(info.backend == wgpu::Backend::Gl))
}

fn describe(adapter: &wgpu::Adapter) -> String {
    let info = adapter.get_info();
    format!("{} ({:?}, {})", info.name, info.device_type, info.backend)
}

fn reason(adapter: &wgpu::Adapter, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("its name holds {name:?}"),
        None if adapter.get_info().device_type == wgpu::DeviceType::Cpu => {
            "a software driver; no hardware GPU was found".into()
        }
        None => "the first hardware GPU".into(),
    }
}

fn describe_wish(name: Option<&str>, backends: wgpu::Backends, software: bool) -> String {
    let kind = match name {
        Some(name) => format!("an adapter with {name:?} in its name"),
        None if software => "any GPU or software driver".into(),
        None => "a hardware GPU".into(),
    };
    let compiled = backends & wgpu::Instance::enabled_backend_features();
    let names: Vec<_> = compiled.iter_names().map(|(name, _)| name.to_lowercase()).collect();
    format!("{kind} on {}", names.join(", "))
}
