//! What the figures were taken on.

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
