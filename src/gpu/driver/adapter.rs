//! Adapters: finds those that the options allow and orders them, the best first. wgpu's environment variables are respected.

#[cfg(not(target_family = "wasm"))]
use std::sync::OnceLock;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::options::GpuOptions;
#[cfg(not(target_family = "wasm"))]
use crate::waiting::at_once;

/// A wgpu instance with these backends and flags, which lives as long as the process.
///
/// Dropping an instance would unload its drivers. A driver keeps data for each thread that has called it, and its code frees them
/// when the thread ends. If the driver had been unloaded before, that code would be gone.
struct Loaded {
    backends: wgpu::Backends,
    flags: wgpu::InstanceFlags,
    instance: wgpu::Instance,
    /// The adapter on OpenGL, which all devices share. An instance has one OpenGL context, and the lock of this context belongs to
    /// an adapter.
    #[cfg(not(target_family = "wasm"))]
    gl: OnceLock<Vec<wgpu::Adapter>>,
}

impl Loaded {
    /// The process's instance of this description; the first call makes it.
    fn of(descriptor: wgpu::InstanceDescriptor) -> &'static Loaded {
        static ALL: Mutex<Vec<&'static Loaded>> = Mutex::new(Vec::new());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let (backends, flags) = (descriptor.backends, descriptor.flags);
        if let Some(known) = all.iter().find(|known| (known.backends, known.flags) == (backends, flags)) {
            return known;
        }
        let instance = wgpu::Instance::new(descriptor);
        let loaded: &'static Loaded = Box::leak(Box::new(Loaded {
            backends,
            flags,
            instance,
            #[cfg(not(target_family = "wasm"))]
            gl: OnceLock::new(),
        }));
        all.push(loaded);
        loaded
    }

    /// The adapter that the browser offers for high performance. A browser lists no other adapters.
    #[cfg(target_family = "wasm")]
    async fn adapters(&self) -> Vec<wgpu::Adapter> {
        let power_preference = wgpu::PowerPreference::HighPerformance;
        let wish = wgpu::RequestAdapterOptions { power_preference, ..Default::default() };
        self.instance.request_adapter(&wish).await.into_iter().collect()
    }

    #[cfg(not(target_family = "wasm"))]
    async fn adapters(&self) -> Vec<wgpu::Adapter> {
        let mut adapters = self.instance.enumerate_adapters(self.backends - wgpu::Backends::GL).await;
        let gl = self.backends & wgpu::Backends::GL;
        adapters.extend_from_slice(self.gl.get_or_init(|| at_once(self.instance.enumerate_adapters(gl))));
        adapters
    }
}

/// An adapter, and the reason why it was chosen.
pub(crate) struct Choice {
    pub adapter: wgpu::Adapter,
    pub reason: String,
}

/// The adapter's name that `WGPU_ADAPTER_NAME` asks for. An empty one asks for nothing: it would be part of every name.
pub(crate) fn name_in_environment() -> Option<String> {
    std::env::var("WGPU_ADAPTER_NAME").ok().filter(|name| !name.is_empty())
}

/// The adapters that the options and the environment allow, the best first; never an empty list.
///
/// `WGPU_BACKEND`, `WGPU_ADAPTER_NAME` and `WGPU_POWER_PREF` count as if they had been passed; a software driver is
/// taken when `software` allows it or when it is asked for by name.
pub(crate) async fn choices(options: &GpuOptions, software: bool) -> Result<Vec<Choice>> {
    let name = options.adapter_name.clone().or_else(name_in_environment);
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    // In debug builds wgpu's default flags also turn on validation, and let DX12 compile kernels without optimisation.
    descriptor.flags = wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL;
    if options.validation {
        descriptor.flags |= wgpu::InstanceFlags::VALIDATION;
    }
    let descriptor = descriptor.with_env();
    let backends = descriptor.backends;
    // wgpu panics where it has no backend for the target.
    let any = !wgpu::Instance::enabled_backend_features().is_empty();
    let mut adapters = if any { Loaded::of(descriptor).adapters().await } else { Vec::new() };
    adapters.sort_by_key(rank);
    let found = adapters.iter().map(describe).collect();
    let wanted = |adapter: &wgpu::Adapter| match &name {
        Some(name) => adapter.get_info().name.to_lowercase().contains(&name.to_lowercase()),
        None => software || adapter.get_info().device_type != wgpu::DeviceType::Cpu,
    };
    let usable = |adapter: &wgpu::Adapter| {
        adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    };
    let chosen = adapters.into_iter().filter(|adapter| wanted(adapter) && usable(adapter));
    let mut choices: Vec<_> =
        chosen.map(|adapter| Choice { reason: reason(&adapter, name.as_deref()), adapter }).collect();
    if choices.is_empty() {
        return Err(Error::NoAdapter { wanted: describe_wish(name.as_deref(), backends, software), found });
    }
    if let Some(index) = options.adapter_index {
        let kind = |choice: &Choice| (rank(&choice.adapter), choice.adapter.get_info().backend);
        let (place, alike) = in_turn(&choices.iter().map(kind).collect::<Vec<_>>(), index);
        let Choice { adapter, reason } = choices.swap_remove(place);
        return Ok(vec![Choice { adapter, reason: format!("{reason}; number {place} of {alike} alike") }]);
    }
    Ok(choices)
}

/// The place of the adapter whose turn it is by this index, among adapters of these kinds, the best first; and the number of those
/// that take turns. All of the first one's kind do: others may be slower, or name the same hardware once more.
fn in_turn<K: PartialEq>(kinds: &[K], index: usize) -> (usize, usize) {
    let alike = kinds.iter().take_while(|kind| **kind == kinds[0]).count().max(1);
    (index % alike, alike)
}

/// The rank of an adapter; lower is better. Hardware comes before software, then the preferred kind of GPU, then modern backends
/// before GL.
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
        None if cfg!(target_family = "wasm") => "the browser's choice of a fast GPU".into(),
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
    match &names[..] {
        [] if cfg!(target_family = "wasm") => format!("{kind}; in browsers that takes this crate's feature `web`"),
        [] => format!("{kind}, on a target for which wgpu has no backend"),
        _ if cfg!(target_family = "wasm") => format!("{kind} that the browser offers through WebGPU"),
        names => format!("{kind} on {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Loaded, in_turn};

    #[test]
    fn adapters_of_the_best_kind_take_turns() {
        let places = |kinds: &[&str]| [0, 1, 2, 3, 7].map(|index| in_turn(kinds, index));
        assert_eq!(places(&["discrete"; 4]), [0, 1, 2, 3, 3].map(|place| (place, 4)));
        // The third adapter is of a worse kind, and the last one is not a neighbour of the first two.
        let mixed = ["discrete", "discrete", "integrated", "discrete"];
        assert_eq!(places(&mixed), [0, 1, 0, 1, 1].map(|place| (place, 2)));
        assert_eq!(places(&mixed[1..]), [(0, 1); 5]);
        assert_eq!(places(&mixed[2..]), [(0, 1); 5]);
    }

    #[test]
    fn an_instance_is_made_once_for_each_description() {
        let described = |flags| {
            let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
            (descriptor.backends, descriptor.flags) = (wgpu::Backends::empty(), flags);
            descriptor
        };
        let flags = [wgpu::InstanceFlags::empty(), wgpu::InstanceFlags::DEBUG];
        let [plain, debug] = flags.map(|flags| Loaded::of(described(flags)));
        assert!(std::ptr::eq(plain, Loaded::of(described(flags[0]))));
        assert!(std::ptr::eq(debug, Loaded::of(described(flags[1]))));
        assert!(!std::ptr::eq(plain, debug));
    }
}
