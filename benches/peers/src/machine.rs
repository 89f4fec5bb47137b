//! The machine of the measurement.

use std::fs;

/// Threads that this process may use.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get())
}

/// The processor's name, where the system tells.
pub fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "unknown processor".into(), |(_, name)| name.trim().into())
}

pub fn date() -> String {
    chrono::Utc::now().format("%Y-%m-%d").to_string()
}

/// How many threads wanted to run in the last minute, including ours. Other work makes the figures unreliable.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").into()
}
