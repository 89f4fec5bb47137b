//! Reports as files, so that those of two devices or drivers can be put side by side.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{Report, Row};
use crate::device::DeviceInfo;
use crate::error::{Error, Result};
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
    /// Seed of the random inputs; none in files of before it was kept.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Whether the large cases ran too; none in files of before it was kept.
    #[serde(default)]
    pub full: Option<bool>,
    /// An op each.
    pub rows: Vec<SavedRow>,
    /// The variants of kernels that ran, of those that the device can choose.
    pub variants: Vec<String>,
    /// How many it can choose.
    pub possible_variants: usize,
}

/// One op of a [`SavedReport`].
///
/// JSON has no numbers for NaN and infinity: the file has the words `"NaN"`, `"inf"` and `"-inf"` there, and these come back as
/// they were. Older files have `null`, which is read as infinity for shares and as NaN for values. Two rows are equal where their
/// fields are, and NaN is equal to NaN.
///
/// ```
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// assert!(verify::SavedReport::from(&report).rows.iter().all(|row| row.failed == 0 && row.share <= 1.0));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    #[serde(serialize_with = "number::write", deserialize_with = "number::share")]
    pub share: f64,
    /// That element's error over what was likely; none in files of before it was kept.
    #[serde(default, serialize_with = "number::write_some", deserialize_with = "number::some_share")]
    pub likely: Option<f64>,
    /// Which of the outputs, and its row and column there.
    pub element: [usize; 3],
    /// The device's value.
    #[serde(serialize_with = "number::write_f32", deserialize_with = "number::value_f32")]
    pub got: f32,
    /// The reference.
    #[serde(serialize_with = "number::write", deserialize_with = "number::value")]
    pub want: f64,
    /// The names of all cases run; none in files of before they were kept.
    #[serde(default)]
    pub ran: Vec<String>,
    /// Those of the cases with an element over its bound.
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

/// Numbers of every kind, in JSON.
mod number {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serialize, Serializer};

    fn word(number: f64) -> &'static str {
        match number {
            _ if number.is_nan() => "NaN",
            _ if number > 0.0 => "inf",
            _ => "-inf",
        }
    }

    pub fn write<S: Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
        if number.is_finite() { number.serialize(to) } else { word(*number).serialize(to) }
    }

    pub fn write_f32<S: Serializer>(number: &f32, to: S) -> Result<S::Ok, S::Error> {
        if number.is_finite() { number.serialize(to) } else { word((*number).into()).serialize(to) }
    }

    pub fn write_some<S: Serializer>(number: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => write(number, to),
            None => to.serialize_none(),
        }
    }

    /// Takes a number or one of the words; none for `null`.
    struct Any;

    impl Visitor<'_> for Any {
        type Value = Option<f64>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str(r#"a number, "NaN", "inf" or "-inf""#)
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Option<f64>, E> {
            Ok(Some(number))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Option<f64>, E> {
            Ok(Some(number as f64))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Option<f64>, E> {
            Ok(Some(number as f64))
        }

        fn visit_str<E: Error>(self, word: &str) -> Result<Option<f64>, E> {
            match word {
                "NaN" => Ok(Some(f64::NAN)),
                "inf" => Ok(Some(f64::INFINITY)),
                "-inf" => Ok(Some(f64::NEG_INFINITY)),
                _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
            }
        }

        fn visit_unit<E: Error>(self) -> Result<Option<f64>, E> {
            Ok(None)
        }
    }

    pub fn some_share<'a, D: Deserializer<'a>>(from: D) -> Result<Option<f64>, D::Error> {
        from.deserialize_any(Any)
    }

    pub fn share<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
        Ok(from.deserialize_any(Any)?.unwrap_or(f64::INFINITY))
    }

    pub fn value<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
        Ok(from.deserialize_any(Any)?.unwrap_or(f64::NAN))
    }

    pub fn value_f32<'a, D: Deserializer<'a>>(from: D) -> Result<f32, D::Error> {
        value(from).map(|value| value as f32)
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
    /// Reads what [`Report::save_json`] wrote, now or in an older version.
    ///
    /// # Errors
    /// [`Error::File`] for a file that cannot be read; [`Error::Report`] for one that holds no report, with the line and what
    /// is missing or wrong there.
    ///
    /// ```
    /// use wgpu_mlp::{Error, verify::SavedReport};
    /// assert!(matches!(SavedReport::load_json("no such file"), Err(Error::File { .. })));
    /// ```
    pub fn load_json(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| files::failed(path, source))?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Report { path: path.into(), source })
    }
}
