//! Runs of the whole verification: every case on a device, and the report of it.

use super::cases::cases;
use super::options::Options;
use super::plan::Plan;
use super::report::Report;
use super::settings::settings;
use super::sweep::possible_variants;
use super::workers::{Progress, run_plan};
use crate::device::Device;
use crate::error::Result;
use crate::waiting::{Waiting, blocking_and_async};

blocking_and_async! {
    /// Runs every op on this device, on up to eight threads, and compares the results with the reference. A device that was
    /// opened with a bound of its memory is verified on one thread.
    ///
    /// # Errors
    /// The errors of the ops. A wrong result is not an error: it appears in the report.
    ///
    /// ```no_run
    /// use wgpu_mlp::{Device, verify};
    /// let report = verify::run(&Device::cpu())?; // or Device::auto()
    /// println!("{report}");
    /// assert!(report.passed());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub free fn run, run_async(device: &Device) -> Result<Report> = |waiting| {
        run_by(waiting, device, &Options::default(), &mut |_| {}).await
    }

    /// Runs a verification as [`run`] does, with options.
    ///
    /// The asynchronous form runs on one thread, the one that polls it. The reference of a case is computed within one poll, which
    /// takes some tenths of a second for the large cases.
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
    pub free fn run_with, run_with_async(device: &Device, options: &Options) -> Result<Report> = |waiting| {
        run_by(waiting, device, options, &mut |_| {}).await
    }

    /// Runs a verification as [`run_with`] does, and calls `watch` after each case.
    ///
    /// # Errors
    /// As [`run`].
    ///
    /// ```no_run
    /// use wgpu_mlp::{Device, verify};
    /// let (options, mut told) = (verify::Options { seed: 1, full: false }, 0);
    /// verify::run_watched(&Device::cpu(), &options, &mut |progress| {
    ///     told += 1;
    ///     assert_eq!(progress.done, told);
    ///     println!("{} of {}: {}", progress.done, progress.total, progress.case);
    /// })?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub free fn run_watched, run_watched_async(
        device: &Device,
        options: &Options,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report> = |waiting| {
        run_by(waiting, device, options, watch).await
    }
}

/// Runs every case on the device as it is, and in each further setting where it launches a kernel variant that the device
/// can choose and that no case before it has run.
async fn run_by(
    waiting: Waiting,
    device: &Device,
    options: &Options,
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report> {
    let (mut report, cases) = (Report::new(device.info().clone(), *options), cases());
    let (possible, settings) = (possible_variants(device), settings(device)?);
    #[cfg(wgpu_mlp_mutants)]
    let settings = if super::mutants::in_own_setting_only() { Vec::new() } else { settings };
    let plan = Plan::new(waiting, device, &cases, &settings, &possible, options).await;
    let missing = run_plan(plan, waiting, device, (&mut report, watch)).await?;
    let ran = possible.difference(missing.names()).cloned().collect();
    report.note_variants(ran, missing.names().iter().cloned().collect());
    Ok(report)
}
