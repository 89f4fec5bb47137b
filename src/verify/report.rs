//! The report: one row for each op, with the worst element of all its cases.

use std::fmt;

use super::case::Case;
use super::compare::Worst;
use super::options::Options;
use crate::device::DeviceInfo;

/// The text that a report prints behind the number of cases if the large cases did not run.
pub(super) const LEFT_OUT: &str = "; the large cases were left out";

/// The report of [`run`](super::run). `Display` prints it as a table.
///
/// ```no_run
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// assert!(report.passed(), "{report}");
/// assert!(report.rows().iter().all(|row| row.worst.passed()));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    device: DeviceInfo,
    options: Options,
    rows: Vec<Row>,
    /// The names of the kernel variants that ran, and of those that the device can choose and no case has run.
    variants: (Vec<String>, Vec<String>),
}

/// The row of a [`Report`] for one op.
///
/// ```no_run
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// assert_eq!(report.rows()[0].failed, 0);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Row {
    /// The name of the op.
    pub op: &'static str,
    /// The number of cases that ran.
    pub cases: usize,
    /// The number of cases with an element over its bound.
    pub failed: usize,
    /// The case that holds the worst element: its dims, options and kind of inputs.
    pub case: String,
    /// The worst element.
    pub worst: Worst,
    /// The names of all cases run.
    pub ran: Vec<String>,
    /// The names of the cases with an element over its bound.
    pub over: Vec<String>,
}

impl Report {
    /// A report without a case.
    pub(super) fn new(device: DeviceInfo, options: Options) -> Self {
        Report { device, options, rows: Vec::new(), variants: Default::default() }
    }

    /// Adds the result of a case, in a setting or (where that is empty) on the device as it is.
    pub(super) fn add(&mut self, case: &Case, setting: &str, worst: Worst) {
        let parts = [case.shape().as_str(), &case.variant, setting].map(String::from);
        let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        let over = (!worst.passed()).then(|| name.clone());
        match self.rows.iter_mut().find(|row| row.op == case.op) {
            Some(row) => {
                row.cases += 1;
                row.failed += usize::from(over.is_some());
                row.over.extend(over);
                row.ran.push(name.clone());
                if worst.share > row.worst.share {
                    (row.worst, row.case) = (worst, name);
                }
            }
            None => {
                let (failed, ran, over) = (usize::from(over.is_some()), vec![name.clone()], Vec::from_iter(over));
                self.rows.push(Row { op: case.op, cases: 1, failed, case: name, worst, ran, over });
            }
        }
    }

    /// Sets the variants that ran, and those that did not.
    pub(super) fn note_variants(&mut self, ran: Vec<String>, missing: Vec<String>) {
        self.variants = (ran, missing);
    }

    /// The kernel variants that ran, by name, and the number of those that the device can choose. None on the CPU path,
    /// which has no kernels.
    pub fn variants(&self) -> (&[String], usize) {
        let (ran, missing) = &self.variants;
        (ran, ran.len() + missing.len())
    }

    /// Whether every element of every case is within its bound.
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.failed == 0)
    }

    /// The device that was verified.
    pub fn device(&self) -> &DeviceInfo {
        &self.device
    }

    /// The options of the verification: the seed of the inputs, and whether the large cases ran.
    pub fn options(&self) -> Options {
        self.options
    }

    /// The rows, one an op.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.device)?;
        writeln!(
            f,
            "worst: the largest error, as a share of its bound, and where it fell; the nearest to its bound first\n\
             likely: that error, as a share of what errors of random sign are likely to add up to"
        )?;
        let titles = ("op", "cases", "failed", "worst", "likely", "case", "element", "got", "want");
        let (op, cases, failed, worst, likely, case, element, got, want) = titles;
        writeln!(
            f,
            "{op:<32} {cases:>5} {failed:>6} {worst:>7} {likely:>7}  {case:<44} {element:>14} {got:>14} {want:>14}"
        )?;
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by(|a, b| b.worst.share.total_cmp(&a.worst.share));
        for Row { op, cases, failed, case, worst, .. } in rows {
            let element = format!("{}[{}, {}]", worst.output, worst.element.0, worst.element.1);
            let Worst { share, likely, got, want, .. } = worst;
            writeln!(
                f,
                "{op:<32} {cases:>5} {failed:>6} {share:>7.3} {likely:>7.3}  {case:<44} {element:>14} {got:>14.6e} {want:>14.6e}"
            )?;
        }
        let cases: usize = self.rows.iter().map(|row| row.cases).sum();
        let failed: usize = self.rows.iter().map(|row| row.failed).sum();
        write!(f, "{} ops, {cases} cases, {failed} over their bound", self.rows.len())?;
        if !self.options.full {
            write!(f, "{LEFT_OUT}")?;
        }
        let ((ran, possible), (_, missing)) = (self.variants(), &self.variants);
        if possible > 0 {
            write!(f, "\n{} of the {possible} variants of kernels that it can choose", ran.len())?;
        }
        missing.iter().try_for_each(|name| write!(f, "\nno case has run {name}"))
    }
}
