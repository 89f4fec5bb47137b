//! The page cache: files that are in it as a whole, or not at all.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use crate::Outcome;

/// Whether a file is in the page cache when an epoch begins.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cache {
    Warm,
    Cold,
}

/// Reads the file once, so that it is in the cache if memory suffices.
pub(crate) fn warm(path: &Path) -> Outcome<()> {
    let (mut file, mut chunk) = (File::open(path)?, vec![0; 8 << 20]);
    while file.read(&mut chunk)? > 0 {}
    Ok(())
}

/// Takes the file's pages out of the cache: `dd` advises the system to do this, which needs no special rights. Mapped pages
/// stay, so no mapping of the file may exist. Returns the share that is still in the cache, if the system tells it.
pub(crate) fn evict(path: &Path) -> Outcome<Option<f64>> {
    File::open(path)?.sync_all()?;
    let mut input = std::ffi::OsString::from("if=");
    input.push(path);
    let dd = Command::new("dd").arg(input).args(["iflag=nocache", "count=0", "status=none"]).status()?;
    if !dd.success() {
        return Err(format!("dd iflag=nocache: {dd}; without GNU dd: --caches warm").into());
    }
    Ok(resident(path))
}

/// The share of the file that is in the cache, from `fincore` of util-linux.
fn resident(path: &Path) -> Option<f64> {
    let told = Command::new("fincore").args(["--bytes", "--noheadings", "--output", "RES"]).arg(path).output().ok()?;
    let bytes: f64 = str::from_utf8(&told.stdout).ok()?.trim().parse().ok()?;
    Some(bytes / path.metadata().ok()?.len() as f64)
}
