//! The machine of the measurement.

use std::thread::available_parallelism;
use std::{env, fs};

/// The environment variables by which wgpu chooses the adapter.
const VARIABLES: [&str; 3] = ["WGPU_BACKEND", "WGPU_ADAPTER_NAME", "WGPU_POWER_PREF"];

/// The processor's name if the system tells it, its threads, and the memory.
pub(crate) fn describe() -> String {
    let value = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = value("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let kilobytes = value("/proc/meminfo", "MemTotal").and_then(|text| text.strip_suffix(" kB")?.parse::<f64>().ok());
    let memory = kilobytes.map_or_else(|| "memory unknown".into(), |all| format!("{:.0} GB of memory", all / 1e6));
    let threads = available_parallelism().map_or(0, usize::from);
    format!("{processor} ({}), {threads} threads, {memory}", env::consts::ARCH)
}

/// The UTC day, year-month-day, from the system's program `date`.
pub(crate) fn today() -> String {
    let told = std::process::Command::new("date").args(["-u", "+%F"]).output();
    told.map_or_else(|_| "unknown".into(), |told| String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

/// The command that repeats this.
pub(crate) fn command() -> String {
    let set = |name: &&str| Some(format!("{name}={} ", env::var(name).ok()?));
    let variables: String = VARIABLES.iter().filter_map(set).collect();
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let rest = if arguments.is_empty() { String::new() } else { format!(" -- {}", arguments.join(" ")) };
    format!("`{variables}cargo bench --bench sources --features data{rest}`")
}
