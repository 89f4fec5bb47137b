//! The memory that reading takes: an epoch in a process of its own, because the allocator keeps memory that other epochs
//! have freed.

use std::env::current_exe;
use std::process::Command;

use crate::{Args, Outcome, named};

/// The peak, in bytes, of memory that is not backed by a file, in a process that trains for one epoch with these options
/// and the arguments; `None` if the system does not tell.
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
