//! Runs of the whole verification: every case on a device, and the report of it.

use super::cases::cases;
use super::options::Options;
use super::plan::Plan;
use super::report::Report;
use super::settings::settings;
use super::sweep::possible_variants;
use super::workers::run_plan;
use crate::device::Device;
use crate::error::Result;
use crate::waiting::{Waiting, at_once};

/// Runs every op on this device, on up to eight threads, and compares the results with the reference. A device that was
/// opened with a bound of its memory is verified on one thread.
///
/// # Errors
/// Errors of the ops; a wrong result is no error but a row of the report.
///
/// ```
/// use wgpu_mlp::{Device, verify};
/// let report = verify::run(&Device::cpu())?; // or Device::auto()
/// println!("{report}");
/// assert!(report.passed());
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn run(device: &Device) -> Result<Report> {
    run_with(device, &Options::default())
}

/// [`run`] without blocking the thread; see [`run_with_async`].
///
/// # Errors
/// As [`run`].
///
/// ```no_run
/// use wgpu_mlp::{Device, verify};
/// let report = pollster::block_on(verify::run_async(&Device::auto()?))?;
/// println!("{report}");
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub async fn run_async(device: &Device) -> Result<Report> {
    run_with_async(device, &Options::default()).await
}

/// [`run`] with options.
///
/// # Errors
/// As [`run`].
///
/// ```
/// use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 1, full: false })?;
/// assert!(report.passed());
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn run_with(device: &Device, options: &Options) -> Result<Report> {
    at_once(run_by(Waiting::Blocking, device, options))
}

/// [`run_with`] without blocking the thread while the device computes, and on that thread alone. The reference of a case is
/// computed within one poll, which takes some tenths of a second for the large ones.
///
/// # Errors
/// As [`run`].
///
/// ```
/// use wgpu_mlp::{Device, verify};
/// let options = verify::Options { full: false, ..Default::default() };
/// let report = pollster::block_on(verify::run_with_async(&Device::cpu(), &options))?;
/// assert!(report.passed(), "{report}");
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub async fn run_with_async(device: &Device, options: &Options) -> Result<Report> {
    run_by(Waiting::Yielding, device, options).await
}

/// Runs every case on the device as it is, and in each further setting where it launches a kernel variant that the device
/// can choose and that no case before it has run.
async fn run_by(waiting: Waiting, device: &Device, options: &Options) -> Result<Report> {
    let (mut report, cases) = (Report::new(device.info().clone(), *options), cases());
    let (possible, settings) = (possible_variants(device), settings(device)?);
    #[cfg(wgpu_mlp_mutants)]
    let settings = if super::mutants::in_own_setting_only() { Vec::new() } else { settings };
    let plan = Plan::new(waiting, device, &cases, &settings, &possible, options).await;
    let missing = run_plan(plan, waiting, device, &mut report).await?;
    report.note_variants(possible.difference(missing.names()).cloned().collect(), possible.len());
    Ok(report)
}
