//! The memory that reading takes: an epoch in a process of its own, since the allocator keeps what others gave back.

use std::env::current_exe;
use std::process::Command;

use crate::{Args, Outcome, named};

/// The most memory in bytes that no file stood behind, while a process trained for one epoch as these options say beside the
/// arguments; `None` where the system does not tell.
pub(crate) fn own_memory(args: &Args, line: &[(&str, String)]) -> Outcome<Option<u64>> {
    let options = [
        ("--device", named(args.device)),
        ("--bytes", args.bytes.to_string()),
        ("--rows-per-run", args.rows_per_run.to_string()),
        ("--cold-rows", args.cold_rows.to_string()),
        ("--batch", args.batch.to_string()),
        ("--optimizer", named(args.optimizer)),
        ("--seed", args.seed.to_string()),
    ];
    let mut process = Command::new(current_exe()?);
    process.arg("--alone").arg("--data").arg(&args.data);
    process.args(options.iter().chain(line).flat_map(|(name, value)| [*name, value.as_str()]));
    let told = process.output()?;
    if !told.status.success() {
        return Err(format!("an epoch alone: {}", String::from_utf8_lossy(&told.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&told.stdout).trim().parse().ok())
}
