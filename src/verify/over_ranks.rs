//! Verification over ranks: each verifies its own device, and all get the reports of all.

use super::options::Options;
use super::run::run_with;
use super::saved::SavedReport;
use crate::device::Device;
use crate::distributed::{Call, Ranks};
use crate::error::Result;

/// Runs [`run_with`] on each rank's device, and returns the reports of all of them, in the order of the ranks, on every rank.
///
/// # Errors
/// As [`run`](super::run()), on every rank: see [`distributed`](crate::distributed).
///
/// ```no_run
/// use wgpu_mlp::distributed::Ranks;
/// use wgpu_mlp::{Device, verify};
/// let options = verify::Options { seed: 1, full: false };
/// let reports = verify::run_over(&Ranks::alone(), &Device::cpu(), &options)?;
/// assert!(reports.iter().flat_map(|report| &report.rows).all(|row| row.failed == 0));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn run_over(ranks: &Ranks, device: &Device, options: &Options) -> Result<Vec<SavedReport>> {
    let leaving = ranks.leaving(Call::Verify);
    let work = || {
        let report = run_with(device, options)?.to_json();
        let all = ranks.gather(Call::Verify, report.as_bytes())?;
        all.iter().map(|json| SavedReport::from_json(&String::from_utf8_lossy(json))).collect()
    };
    let outcome = work();
    leaving.not_early();
    ranks.settled(Call::Verify, outcome)
}
