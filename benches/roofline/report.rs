//! The measurements as a page of Markdown.

use std::env;
use std::fmt::Write;
use std::fs;
use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use wgpu_mlp::DeviceKind;
use wgpu_mlp::verify::Worst;

use crate::cases::{Case, Scale};
use crate::ceilings::Probe;
use crate::measure::Transfer;
use crate::measured::Measured;

/// The environment variables by which wgpu chooses the adapter.
const VARIABLES: [&str; 3] = ["WGPU_BACKEND", "WGPU_ADAPTER_NAME", "WGPU_POWER_PREF"];

pub(crate) fn markdown(measured: &Measured) -> String {
    let sections = [head(measured), times(measured), apart(measured), wrong(measured)];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

pub(crate) fn flop_rate(probe: &Probe) -> String {
    format!("{:.1} GFLOP/s", probe.rate() / 1e9)
}

pub(crate) fn byte_rate(probe: &Probe) -> String {
    format!("{:.2} GB/s", probe.rate() / 1e9)
}

fn head(measured: &Measured) -> String {
    let (info, ceilings) = (&measured.info, &measured.ceilings);
    let scale = match measured.scale {
        Scale::Gpu => "those that fill a GPU",
        Scale::Cpu => "those for drivers that run on the CPU",
    };
    let roof = |rate, probe: &Probe| {
        let (low, high) = probe.range();
        let samples = format!("median of the whole run, {:.1} to {:.1}", low / 1e9, high / 1e9);
        format!("{rate} ({}; {samples})", probe.shape)
    };
    let lines = [
        (
            if info.kind == DeviceKind::Gpu { "GPU" } else { "software driver, no GPU" },
            format!("{} ({})", info.name, info.backend),
        ),
        ("driver", info.driver.clone()),
        ("CPU", cpu()),
        ("date", today()),
        ("command", command()),
        ("sizes", scale.into()),
        ("multiply-add", roof(flop_rate(&ceilings.multiply_add), &ceilings.multiply_add)),
        ("copy", roof(byte_rate(&ceilings.copy), &ceilings.copy)),
        ("multiply-add, shapes tried", tried(&ceilings.multiply_add)),
        ("copy, shapes tried", tried(&ceilings.copy)),
    ];
    let mut text = String::from("# Roofline\n\n");
    for (name, value) in lines {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text
}

fn tried(probe: &Probe) -> String {
    let shapes: Vec<_> = probe.tried.iter().map(|(shape, rate)| format!("{shape}: {}", digits(rate / 1e9))).collect();
    shapes.join("; ")
}

fn times(measured: &Measured) -> String {
    let mut text = String::from(
        "Share: the floor, max(FLOP / multiply-add, bytes / copy), over the time. Roofs meanwhile: multiply-add and copy\n\
         while the op was timed, of the medians above. Where the floor is the copy, the share is of the copy's rate; reads\n\
         weigh less than writes: what writes little can pass 100 %.\n\
         accuracy waits for its answer in every call; the others share a wait where they are short.\n\n\
         | # | op | size | time, ms | GFLOP/s | GB/s | floor | share, % | roofs meanwhile, % |\n\
         |--:|---|---|--:|--:|--:|---|--:|--:|\n",
    );
    for (number, (case, timing)) in (1..).zip(&measured.timed) {
        let rating = measured.rate(case, timing);
        let (op, shape, time) = (case.op, &case.shape, milliseconds(timing.call));
        let (flop_rate, byte_rate) = (digits(rating.flop_rate / 1e9), digits(rating.byte_rate / 1e9));
        let floor = if rating.by_bytes { "copy" } else { "multiply-add" };
        let share = percent(rating.share);
        let multiply_add = 100.0 * timing.multiply_add_meanwhile / measured.ceilings.multiply_add.rate();
        let copy = 100.0 * timing.copy_meanwhile / measured.ceilings.copy.rate();
        let _ = writeln!(
            text,
            "| {number} | {op} | {shape} | {time} | {flop_rate} | {byte_rate} | {floor} | {share} | \
             {multiply_add:.0}, {copy:.0} |"
        );
    }
    text
}

fn apart(measured: &Measured) -> String {
    let mut text = String::from(
        "Apart from it: the first call on a fresh device, compiling included, and what it compiled (a driver may keep\n\
         compiled shaders on disk); operands up, result down.\n\n\
         | # | op | size | first call, ms | pipelines | upload, ms | GB/s | readback, ms | GB/s |\n\
         |--:|---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for (number, (case, timing)) in (1..).zip(&measured.timed) {
        let (op, shape, first, pipelines) = (case.op, &case.shape, milliseconds(timing.first_call), timing.pipelines);
        let upload = transfer(&timing.upload);
        // A number for which the op itself has waited is already on the host.
        let readback = timing.readback.as_ref().map_or_else(|| "| ".into(), transfer);
        let _ = writeln!(text, "| {number} | {op} | {shape} | {first} | {pipelines} | {upload} | {readback} |");
    }
    text
}

fn transfer(transfer: &Transfer) -> String {
    format!("{} | {}", milliseconds(transfer.seconds), digits(transfer.bytes / transfer.seconds / 1e9))
}

fn wrong(measured: &Measured) -> String {
    let line = |(case, worst): &(Case, Worst)| format!("- {}\n", difference(case, worst));
    let lines: String = measured.wrong.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("Wrong, and so not timed:\n\n{lines}") }
}

/// The element that is furthest off.
pub(crate) fn difference(case: &Case, worst: &Worst) -> String {
    let Worst { output, element: (row, col), got, want, .. } = worst;
    format!("{} {}: output {output} [{row}, {col}] is {got:e}; the CPU path has {want:e}", case.op, case.shape)
}

fn milliseconds(seconds: f64) -> String {
    digits(1e3 * seconds)
}

/// Two significant digits, or all digits before the point.
pub(crate) fn percent(share: f64) -> String {
    let decimals = if share < 0.01 { 2 } else { usize::from(share < 0.1) };
    format!("{:.decimals$}", 100.0 * share)
}

/// Three significant digits, or all digits before the point.
pub(crate) fn digits(value: f64) -> String {
    let before = value.abs().log10().floor();
    let decimals = if before.is_finite() { (2.0 - before).clamp(0.0, 6.0) as usize } else { 0 };
    format!("{value:.decimals$}")
}

/// The processor's name if the system tells it, and its threads.
pub(crate) fn cpu() -> String {
    let name = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let threads = available_parallelism().map_or(0, usize::from);
    format!("{} ({}), {threads} threads", name.unwrap_or_else(|| "unknown".into()), env::consts::ARCH)
}

/// The command that repeats this, without the folder it wrote to.
fn command() -> String {
    let set = |name: &&str| Some(format!("{name}={} ", env::var(name).ok()?));
    let variables: String = VARIABLES.iter().filter_map(set).collect();
    let mut arguments = Vec::new();
    let mut given = env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = given.next() {
        if argument == "--out" {
            given.next();
        } else if !argument.starts_with("--out=") {
            arguments.push(argument);
        }
    }
    let rest = if arguments.is_empty() { String::new() } else { format!(" -- {}", arguments.join(" ")) };
    format!("`{variables}cargo bench --bench roofline{rest}`")
}

/// The UTC day, year-month-day.
pub(crate) fn today() -> String {
    date(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// The day of a time since 1970; the method is Howard Hinnant's `civil_from_days`.
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March, so that the leap day is the year's last.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{}-{month:02}-{day:02}", 400 * era + year_of_era + next_year)
}
