//! The parity report: every op on a device against the f64 reference, each element within its derived bound.
//!
//! One table of cases feeds this report, the parity tests and the benches.
//!
//! A bound is a sum n₁ e₁ + n₂ e₂ + .. of errors, as if all had one sign. Beside it stands the likely error
//! √(n₁ e₁² + n₂ e₂² + ..), that of random signs: √(k + 4) u / 2 for a product over k, where the bound is (k / 2 + 2) u. The report
//! tells the worst element as a share of both, and [`guide::numerics`](crate::guide::numerics) derives them; the bound alone decides.
//!
//! ```
//! use wgpu_mlp::{Device, verify};
//! let report = verify::run_with(&Device::cpu(), &verify::Options { full: false, ..Default::default() })?;
//! assert!(report.passed(), "{report}");
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```

mod bounds;
mod case;
mod compare;
mod elementwise;
mod gradients;
mod head;
mod inputs;
mod nll;
mod oracle;
mod output;
mod plan;
mod products;
mod report;
mod rows;
#[cfg(feature = "serde")]
mod saved;
#[cfg(feature = "serde")]
mod side_by_side;
mod table;
mod training;
mod updates;
mod variants;

use crate::device::Device;
use crate::error::Result;
use crate::waiting::{Waiting, at_once};

pub use case::{Case, Expected, Inputs};
pub use compare::{Worst, compare};
use plan::Plan;
pub use report::{Report, Row};
#[cfg(feature = "serde")]
pub use saved::{SavedReport, SavedRow};
#[cfg(feature = "serde")]
pub use side_by_side::{Differences, side_by_side};
pub use table::cases;

/// How [`run_with`] verifies.
///
/// ```
/// let options = wgpu_mlp::verify::Options { seed: 7, ..Default::default() };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seed of the random inputs.
    pub seed: u64,
    /// Whether the large cases run too; without them even a slow software driver takes seconds.
    pub full: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { seed: 0, full: true }
    }
}

/// Verifies every op on this device, on up to eight threads; on one where the device was opened with a bound of its memory.
///
/// # Errors
/// What an op returns; a wrong result is no error but a row of the report.
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

/// [`run`] without blocking the thread; as [`run_with_async`].
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

/// Like [`run`], with options.
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

/// [`run_with`] without blocking the thread while the device computes, and without others. The references are computed within polls, a case each:
/// the large ones take some tenths of a second.
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

/// Every case as the device runs it, and in those settings in which it takes a variant of a kernel that the device can choose
/// and no case has run so far.
async fn run_by(waiting: Waiting, device: &Device, options: &Options) -> Result<Report> {
    let (mut report, cases) = (Report::new(device.info().clone(), *options), cases());
    let (possible, settings) = (variants::possible(device), variants::settings(device)?);
    #[cfg(wgpu_mlp_mutants)]
    let settings = if mutants::as_chosen() { Vec::new() } else { settings };
    let plan = Plan::new(waiting, device, &cases, &settings, &possible, options).await;
    let missing = plan.run(waiting, device, &mut report).await?;
    report.note_variants(possible.difference(missing.names()).cloned().collect(), possible.len());
    Ok(report)
}

/// What `tests/mutants` asks of a report.
#[cfg(wgpu_mlp_mutants)]
mod mutants {
    use std::env::var;

    use super::Case;

    /// Whether the device runs nothing in other settings.
    pub(super) fn as_chosen() -> bool {
        var("WGPU_MLP_AS_CHOSEN").is_ok()
    }

    /// Whether the case is among those that `WGPU_MLP_ONLY` names, separated by semicolons: ops, or beginnings of what a
    /// case is printed as. All are where it is not set.
    pub(super) fn wants(case: &Case) -> bool {
        let Ok(names) = var("WGPU_MLP_ONLY") else { return true };
        let printed = case.to_string();
        let mut names = names.split(';').map(str::trim);
        names.any(|name| name == case.op || (name.contains(' ') && printed.starts_with(name)))
    }
}

/// How far an element of a product over k may be from exact arithmetic, given that of the magnitudes.
pub(crate) fn product_bound(magnitude: f64, k: usize) -> f64 {
    bounds::product(magnitude, k).most
}
