//! Saved reports: JSON files, so that the reports of two devices or drivers can be compared.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{Report, Row};
use crate::device::DeviceInfo;
use crate::error::{Error, Result};
use crate::files;
use crate::saved_number;

/// A saved [`Report`], as [`Report::save_json`] writes it.
///
/// ```no_run
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// let saved = verify::SavedReport::from_json(&report.to_json())?;
/// assert_eq!(saved, verify::SavedReport::from(&report));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SavedReport {
    /// The device that was verified.
    pub device: DeviceInfo,
    /// The seed of the random inputs; older files have none.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Whether the large cases ran too; older files do not say.
    #[serde(default)]
    pub full: Option<bool>,
    /// The rows, one an op.
    pub rows: Vec<SavedRow>,
    /// The names of the kernel variants that ran.
    pub variants: Vec<String>,
    /// The number of kernel variants that the device can choose.
    pub possible_variants: usize,
}

/// The row of a [`SavedReport`] for one op.
///
/// JSON has no numbers for NaN and infinity: the file has the words `"NaN"`, `"inf"` and `"-inf"` instead, which are read
/// back as these numbers. Older files have `null`, which is read as infinity for shares and as NaN for values. Two rows are
/// equal where their fields are, and NaN is equal to NaN.
///
/// ```no_run
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// assert!(verify::SavedReport::from(&report).rows.iter().all(|row| row.failed == 0 && row.share <= 1.0));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SavedRow {
    /// The name of the op.
    pub op: String,
    /// The number of cases that ran.
    pub cases: usize,
    /// The number of cases with an element over its bound.
    pub failed: usize,
    /// The case that holds the worst element.
    pub case: String,
    /// The error of the worst element over its bound.
    #[serde(serialize_with = "saved_number::write", deserialize_with = "saved_number::or_infinity")]
    pub share: f64,
    /// The error of the worst element over the likely error; older files have none.
    #[serde(default, serialize_with = "saved_number::write_some", deserialize_with = "saved_number::some")]
    pub likely: Option<f64>,
    /// The place of the worst element: output, row and column.
    pub element: [usize; 3],
    /// The device's value of the worst element.
    #[serde(serialize_with = "saved_number::write_f32", deserialize_with = "saved_number::or_nan_f32")]
    pub got: f32,
    /// The reference of the worst element.
    #[serde(serialize_with = "saved_number::write", deserialize_with = "saved_number::or_nan")]
    pub want: f64,
    /// The names of all cases that ran; older files have none.
    #[serde(default)]
    pub ran: Vec<String>,
    /// The names of the cases with an element over its bound.
    #[serde(default)]
    pub over: Vec<String>,
}

impl PartialEq for SavedRow {
    fn eq(&self, other: &Self) -> bool {
        let named = |row: &Self| (row.op.clone(), row.case.clone(), row.ran.clone(), row.over.clone());
        let counted = |row: &Self| (row.cases, row.failed, row.element, row.likely.is_some());
        let numbers = |row: &Self| [row.share, row.likely.unwrap_or_default(), row.got.into(), row.want];
        let alike = |(a, b): (f64, f64)| a == b || (a.is_nan() && b.is_nan());
        named(self) == named(other)
            && counted(self) == counted(other)
            && numbers(self).into_iter().zip(numbers(other)).all(alike)
    }
}

impl From<&Report> for SavedReport {
    fn from(report: &Report) -> Self {
        let (variants, possible_variants) = report.variants();
        SavedReport {
            device: report.device().clone(),
            seed: Some(report.options().seed),
            full: Some(report.options().full),
            rows: report.rows().iter().map(SavedRow::from).collect(),
            variants: variants.to_vec(),
            possible_variants,
        }
    }
}

impl From<&Row> for SavedRow {
    fn from(Row { op, cases, failed, case, worst, ran, over }: &Row) -> Self {
        SavedRow {
            op: op.to_string(),
            cases: *cases,
            failed: *failed,
            case: case.clone(),
            share: worst.share,
            likely: Some(worst.likely),
            element: [worst.output, worst.element.0, worst.element.1],
            got: worst.got,
            want: worst.want,
            ran: ran.clone(),
            over: over.clone(),
        }
    }
}

impl Report {
    /// Writes the report to a file as JSON, whole or not at all; [`SavedReport::load_json`] reads it.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) where it cannot be written.
    ///
    /// ```no_run
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
        files::replace(path.as_ref(), |writer| writer.write_all(self.to_json().as_bytes()))
    }

    /// The JSON that [`Report::save_json`] writes, as text; [`SavedReport::from_json`] reads it.
    pub fn to_json(&self) -> String {
        // Texts, numbers and lists of them can always be written to memory.
        serde_json::to_string_pretty(&SavedReport::from(self))
            .map_or_else(|error| error.to_string(), |json| json + "\n")
    }
}

impl SavedReport {
    /// Whether every element of every case was within its bound, as [`Report::passed`] tells it: a report of no case has not passed.
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.failed == 0)
    }

    /// Reads a report that [`Report::save_json`] wrote, in this version or an older one.
    ///
    /// # Errors
    /// [`Error::File`] for a file that cannot be read; [`Error::Format`] for one that holds no report, with the line and what
    /// is missing or wrong there.
    pub fn load_json(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| files::failed(path, source))?;
        Self::parse(path, &bytes)
    }

    /// Reads a report from the JSON that [`Report::to_json`] gives, or that a file of [`Report::save_json`] holds.
    ///
    /// # Errors
    /// [`Error::Format`] for a text that holds no report, with the line and what is missing or wrong there, and with
    /// `the given bytes` in the place of a path.
    ///
    /// ```
    /// use wgpu_mlp::verify::SavedReport;
    /// let error = SavedReport::from_json("{}").unwrap_err();
    /// assert!(error.to_string().starts_with("the given bytes: not a report of verify"));
    /// ```
    pub fn from_json(json: &str) -> Result<Self> {
        Self::parse(Path::new(files::GIVEN_BYTES), json.as_bytes())
    }

    /// Reads a report from these bytes; errors name `path`.
    fn parse(path: &Path, json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|source| Error::Format { path: path.into(), source: source.into() })
    }
}
