//! Verification of every op on a device: the parity report compares each element with an f64 reference, within a derived bound.
//!
//! One table of cases feeds this report, the parity tests and the benches.
//!
//! A bound is a sum n₁ e₁ + n₂ e₂ + .. of errors, as if all had one sign. The likely error, for errors of random signs, is
//! √(n₁ e₁² + n₂ e₂² + ..). For a product over k the bound is (k / 2 + 2) u, and the likely error √(k + 4) u / 2. The report shows
//! the worst error as a share of both. Only the bound decides whether a case passes. [`guide::numerics`](crate::guide::numerics)
//! derives the bounds.
//!
//! ```
//! use wgpu_mlp::{Device, verify};
//! let report = verify::run_with(&Device::cpu(), &verify::Options { full: false, ..Default::default() })?;
//! assert!(report.passed(), "{report}");
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```

mod bounds;
mod case;
mod cases;
mod compare;
mod expected;
mod inputs;
mod missing;
#[cfg(wgpu_mlp_mutants)]
mod mutants;
mod operands;
mod options;
mod output;
#[cfg(all(feature = "serde", not(target_family = "wasm")))]
mod over_ranks;
mod plan;
mod report;
mod run;
#[cfg(feature = "serde")]
mod saved;
mod settings;
mod shapes;
#[cfg(feature = "serde")]
mod side_by_side;
mod sweep;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod swept;
mod table;
mod workers;

pub use case::Case;
pub use cases::cases;
pub use compare::{Worst, compare};
pub use expected::Expected;
pub use inputs::Inputs;
pub use options::Options;
#[cfg(all(feature = "serde", not(target_family = "wasm")))]
pub use over_ranks::{JointReport, run_over};
pub use report::{Report, Row};
#[cfg(not(target_family = "wasm"))]
pub use run::{run, run_watched, run_with};
pub use run::{run_async, run_watched_async, run_with_async};
#[cfg(feature = "serde")]
pub use saved::{SavedReport, SavedRow};
#[cfg(feature = "serde")]
pub use side_by_side::{Differences, side_by_side};
pub use workers::Progress;
