//! The report: a row an op, with the worst element of all its cases.

use std::fmt;

use super::{Case, Options, Worst};
use crate::device::DeviceInfo;

/// What [`run`](super::run) found. `Display` prints the table.
///
/// ```
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// assert!(report.rows().iter().all(|row| row.worst.passed()));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    device: DeviceInfo,
    options: Options,
    rows: Vec<Row>,
    /// Names of the variants of kernels that ran, and how many the device can choose.
    variants: (Vec<String>, usize),
}

/// One op of a [`Report`].
///
/// ```
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// assert_eq!(report.rows()[0].failed, 0);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Row {
    /// The op's stem.
    pub op: &'static str,
    /// Cases run.
    pub cases: usize,
    /// Cases with an element over its bound.
    pub failed: usize,
    /// The case that holds the worst element: its dims, and what is special about it.
    pub case: String,
    /// That element.
    pub worst: Worst,
    /// The names of all cases run.
    pub ran: Vec<String>,
    /// Those of the cases with an element over its bound.
    pub over: Vec<String>,
}

impl Report {
    pub(super) fn new(device: DeviceInfo, options: Options) -> Self {
        Report { device, options, rows: Vec::new(), variants: Default::default() }
    }

    /// Counts a case in, and the setting in which it ran if that is a special one.
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

    pub(super) fn note_variants(&mut self, ran: Vec<String>, possible: usize) {
        self.variants = (ran, possible);
    }

    /// The variants of kernels that ran, of those that the device can choose: kernel, form and constants; and with how many
    /// of them it has. None on the CPU path, which has no kernels.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, verify};
    /// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
    /// assert_eq!(report.variants(), (&[][..], 0));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn variants(&self) -> (&[String], usize) {
        (&self.variants.0, self.variants.1)
    }

    /// Whether every element of every case is within its bound.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, verify};
    /// assert!(verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?.passed());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.failed == 0)
    }

    /// Where it was made.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, DeviceKind, verify};
    /// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
    /// assert_eq!(report.device().kind, DeviceKind::Cpu);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn device(&self) -> &DeviceInfo {
        &self.device
    }

    /// How it was made: the seed of the inputs, and whether the large cases ran.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, verify};
    /// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 3, full: false })?;
    /// assert_eq!(report.options().seed, 3);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn options(&self) -> Options {
        self.options
    }

    /// The rows, an op each.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, verify};
    /// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
    /// assert!(report.rows().iter().any(|row| row.op == "matmul_tn"));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
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
        let head = ("op", "cases", "failed", "worst", "likely", "case", "element", "got", "want");
        let (op, cases, failed, worst, likely, case, element, got, want) = head;
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
        match &self.variants {
            (_, 0) => Ok(()),
            (ran, possible) => write!(f, "\n{} of the {possible} variants of kernels that it can choose", ran.len()),
        }
    }
}
