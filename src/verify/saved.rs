//! Reports as files, so that those of two devices or drivers can be put side by side.

use std::fmt;
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{Report, Row};
use crate::device::DeviceInfo;
use crate::error::Result;
use crate::files;

/// A [`Report`] as [`Report::save_json`] keeps it.
///
/// ```
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// assert_eq!(verify::SavedReport::from(&report).rows.len(), report.rows().len());
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SavedReport {
    /// Where it was made.
    pub device: DeviceInfo,
    /// An op each.
    pub rows: Vec<SavedRow>,
    /// The variants of kernels that ran, of those that the device can choose.
    pub variants: Vec<String>,
    /// How many it can choose.
    pub possible_variants: usize,
}

/// One op of a [`SavedReport`]; its numbers are none where they were not finite.
///
/// ```
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// assert!(verify::SavedReport::from(&report).rows.iter().all(|row| row.failed == 0 && row.share <= Some(1.0)));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SavedRow {
    /// The op's stem.
    pub op: String,
    /// Cases run.
    pub cases: usize,
    /// Cases with an element over its bound.
    pub failed: usize,
    /// The case that holds the worst element.
    pub case: String,
    /// That element's error over its bound.
    pub share: Option<f64>,
    /// Which of the outputs, and its row and column there.
    pub element: [usize; 3],
    /// The device's value.
    pub got: Option<f32>,
    /// The reference.
    pub want: Option<f64>,
}

impl From<&Report> for SavedReport {
    fn from(report: &Report) -> Self {
        let (variants, possible_variants) = report.variants();
        SavedReport {
            device: report.device().clone(),
            rows: report.rows().iter().map(SavedRow::from).collect(),
            variants: variants.to_vec(),
            possible_variants,
        }
    }
}

impl From<&Row> for SavedRow {
    fn from(Row { op, cases, failed, case, worst }: &Row) -> Self {
        let finite = |x: f64| x.is_finite().then_some(x);
        SavedRow {
            op: op.to_string(),
            cases: *cases,
            failed: *failed,
            case: case.clone(),
            share: finite(worst.share),
            element: [worst.output, worst.element.0, worst.element.1],
            got: worst.got.is_finite().then_some(worst.got),
            want: finite(worst.want),
        }
    }
}

impl Report {
    /// Writes the report to a file, whole or not at all: [`SavedReport`] as JSON.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) where that cannot be.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, verify};
    /// # let folder = std::env::temp_dir().join(format!("wgpu-mlp-save-json-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder).unwrap();
    /// # let path = folder.join("report.json");
    /// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
    /// report.save_json(&path)?;
    /// let saved = verify::SavedReport::load_json(&path)?;
    /// assert_eq!(saved, verify::SavedReport::from(&report));
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn save_json(&self, path: impl AsRef<Path>) -> Result<()> {
        files::replace(path.as_ref(), |writer| {
            serde_json::to_writer_pretty(&mut *writer, &SavedReport::from(self))?;
            writer.write_all(b"\n")
        })
    }
}

impl SavedReport {
    /// Reads what [`Report::save_json`] wrote.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) for a file that cannot be read, or that holds no report: then with the line.
    ///
    /// ```
    /// use wgpu_mlp::{Error, verify::SavedReport};
    /// assert!(matches!(SavedReport::load_json("no such file"), Err(Error::File { .. })));
    /// ```
    pub fn load_json(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|mut file| file.read_to_string(&mut text))
            .and_then(|_| serde_json::from_str(&text).map_err(Into::into))
            .map_err(|source| files::failed(path, source))
    }
}

/// Reports side by side, op by op, as a table in Markdown: for each the cases, those over their bound where there are some,
/// and the worst share.
///
/// ```
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// let saved = verify::SavedReport::from(&report);
/// assert!(verify::side_by_side(&[saved.clone(), saved]).to_string().contains("| matmul_tn |"));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn side_by_side(reports: &[SavedReport]) -> impl fmt::Display + '_ {
    SideBySide(reports)
}

struct SideBySide<'a>(&'a [SavedReport]);

impl fmt::Display for SideBySide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, report) in (1..).zip(self.0) {
            writeln!(f, "{number}. {}", report.device)?;
        }
        let all = self.0.iter().flat_map(|report| &report.rows);
        let mut ops: Vec<&str> = Vec::new();
        all.for_each(|row| {
            if !ops.contains(&row.op.as_str()) {
                ops.push(&row.op)
            }
        });
        let line = |cells: &mut dyn Iterator<Item = String>| format!("| {} |", cells.collect::<Vec<_>>().join(" | "));
        writeln!(f)?;
        let numbers = (1..=self.0.len()).map(|number| number.to_string());
        writeln!(f, "{}", line(&mut std::iter::once("op".into()).chain(numbers)))?;
        writeln!(f, "{}", line(&mut (0..=self.0.len()).map(|_| "---".into())))?;
        for op in ops {
            let found = self.0.iter().map(|report| report.rows.iter().find(|row| row.op == op));
            let cells = found.map(|row| row.map_or("-".into(), SavedRow::cell));
            writeln!(f, "{}", line(&mut std::iter::once(op.into()).chain(cells)))?;
        }
        let variants = self.0.iter().map(|report| match report.possible_variants {
            0 => "-".into(),
            possible => format!("{} of {possible}", report.variants.len()),
        });
        write!(f, "{}", line(&mut std::iter::once("variants of kernels that ran".into()).chain(variants)))
    }
}

impl SavedRow {
    fn cell(&self) -> String {
        let share = self.share.map_or("inf".into(), |share| format!("{share:.3}"));
        match self.failed {
            0 => format!("{share} of {} cases", self.cases),
            failed => format!("**{share}, {failed} of {} cases over it**", self.cases),
        }
    }
}
