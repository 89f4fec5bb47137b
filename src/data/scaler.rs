//! Scaler: scales features to mean 0 and variance 1, column by column.

use std::path::Path;

use ndarray::{Array2, ArrayView2, aview1, stack};

use super::batches::each_batch;
use super::errors::refuse;
use super::npy::read_doubles;
use super::npy_write::{write_array, write_rows};
use crate::error::{Error, Result, Shape};
use crate::files::{GIVEN_BYTES, Source, failed};
use crate::host_memory::{host_room, not_empty};
use crate::source::{RowSource, Wanted, dim_of};

const OP: &str = "scaler";

/// A scaler standardises features as scikit-learn's `StandardScaler` does: it computes (x - mean) / scale, column by column. The
/// mean and the scale √(Σ (x - mean)² / rows), which is the standard deviation, come from the rows that the scaler was fitted to.
///
/// A column of equal values gets the scale 1, so its values become 0. Sums are computed in f64. Fit the scaler only to the
/// training rows, and transform the test rows and all later rows with it.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::data::Scaler;
/// let train = array![[1.0, 100.0, 5.0], [3.0, 300.0, 5.0]];
/// let scaler = Scaler::fit(train.view())?;
/// assert_eq!((scaler.mean(), scaler.scale()), (&[2.0, 200.0, 5.0][..], &[1.0, 100.0, 1.0][..]));
/// assert_eq!(scaler.transform(train.view())?, array![[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]);
/// assert_eq!(scaler.transform(array![[4.0, 150.0, 6.0]].view())?, array![[2.0, -0.5, 1.0]]);
/// assert_eq!(scaler.inverse_transform(array![[2.0, -0.5, 1.0]].view())?, array![[4.0, 150.0, 6.0]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl Scaler {
    /// Fits a scaler to these features, `rows x columns`: computes the mean and the scale of each column. The features are an
    /// array or any other source, which is read twice, batch by batch.
    ///
    /// # Errors
    /// [`Error::Empty`] without rows or columns; [`Error::Feature`] with the first value that is NaN or infinite; the
    /// errors of [`RowSource::read_rows`].
    ///
    /// ```
    /// use wgpu_mlp::data::Scaler;
    /// let error = Scaler::fit(ndarray::array![[1.0, 2.0], [3.0, f32::NAN]].view()).unwrap_err();
    /// assert_eq!(error.to_string(), "scaler: row 1, column 1 is NaN; features must be finite");
    /// ```
    pub fn fit(x: impl RowSource) -> Result<Self> {
        let (rows, cols) = dim_of(OP, &x)?;
        not_empty(OP, rows, cols)?;
        // Distances from the first row are added instead of the values. So a column of equal values gets exactly that value as
        // its mean, and a variance of 0.
        let first: Vec<f64> = Wanted::new(OP, &x, cols, &[0]).read_all()?.into_iter().map(f64::from).collect();
        let sums = column_sums(&x, &first, |distance| distance)?;
        let mean: Vec<f64> = sums.iter().zip(&first).map(|(sum, first)| first + sum / rows as f64).collect();
        let squares = column_sums(&x, &mean, |distance| distance * distance)?;
        let deviation = |sum: f64| if sum > 0.0 { (sum / rows as f64).sqrt() } else { 1.0 };
        Ok(Scaler { scale: squares.into_iter().map(deviation).collect(), mean })
    }

    /// Transforms features to (x - mean) / scale, as f32. A result beyond the range of f32 becomes infinite.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns than the scaler was fitted to; otherwise as [`Scaler::fit`].
    pub fn transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.map(x, scaled)
    }

    /// Transforms scaled features back, to x · scale + mean.
    ///
    /// # Errors
    /// As [`Scaler::transform`].
    pub fn inverse_transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.map(x, |value, mean, scale| value * scale + mean)
    }

    /// The mean of each column: scikit-learn's `mean_`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The scale of each column, by which values are divided: scikit-learn's `scale_`.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Writes the scaler to a `.npy` file of f64 with `2 x columns`: a row of means, then a row of scales. NumPy reads it with
    /// `mean, scale = np.load(path)`.
    ///
    /// The file appears complete or not at all.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be written.
    ///
    /// ```
    /// use wgpu_mlp::data::Scaler;
    /// let path = std::env::temp_dir().join(format!("wgpu-mlp-doc-{}-scaler.npy", std::process::id()));
    /// let scaler = Scaler::fit(ndarray::array![[0.1, 7.0], [0.4, 7.0]].view())?;
    /// scaler.save(&path)?;
    /// assert_eq!(Scaler::load(&path)?, scaler);
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_rows(path.as_ref(), self.rows().view())
    }

    /// The bytes of the file that [`Scaler::save`] would write.
    ///
    /// # Errors
    /// [`Error::HostMemory`] if the host has no memory for the bytes.
    ///
    /// ```
    /// use wgpu_mlp::data::Scaler;
    /// let scaler = Scaler::fit(ndarray::array![[0.1, 7.0], [0.4, 7.0]].view())?;
    /// assert_eq!(Scaler::from_bytes(&scaler.to_bytes()?)?, scaler);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = host_room(OP, 1, size_of::<f64>().saturating_mul(2 * self.mean.len()))?;
        write_array(&mut bytes, self.rows().view()).map_err(|source| failed(Path::new(GIVEN_BYTES), source))?;
        Ok(bytes)
    }

    /// The means and the scales as an array of two rows.
    fn rows(&self) -> Array2<f64> {
        stack![ndarray::Axis(0), aview1(&self.mean), aview1(&self.scale)]
    }

    /// Reads a scaler from a file that [`Scaler::save`] wrote, or that NumPy wrote with
    /// `np.save(path, [scaler.mean_, scaler.scale_])`.
    ///
    /// # Errors
    /// As [`read_npy`](super::read_npy); [`Error::Data`] also unless there are two rows of finite numbers and the
    /// scales are positive.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_rows(path, &read_doubles(&mut Source::open(path)?)?)
    }

    /// Reads a scaler from the bytes that [`Scaler::to_bytes`] returns, or from the content of a file that [`Scaler::load`]
    /// reads.
    ///
    /// # Errors
    /// As [`Scaler::load`]. Errors name `the given bytes` instead of a path.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self> {
        Self::from_rows(Path::new(GIVEN_BYTES), &read_doubles(&mut Source::reader(&mut bytes))?)
    }

    /// Makes the scaler of these means and scales; errors name `path`.
    fn from_rows(path: &Path, array: &Array2<f64>) -> Result<Self> {
        let shape = || Shape::from(array.dim()).to_string();
        let (2, 1..) = array.dim() else {
            return refuse(path, "a scaler has a row of means and a row of scales", shape());
        };
        let row = |row: usize| array.row(row).to_vec();
        let (mean, scale) = (row(0), row(1));
        let wrong = mean.iter().find(|mean| !mean.is_finite()).or(scale.iter().find(|s| !(s.is_finite() && **s > 0.0)));
        match wrong {
            Some(value) => refuse(path, "means must be finite, scales finite and positive", value.to_string()),
            None => Ok(Scaler { mean, scale }),
        }
    }

    /// Checks that features of this shape have the columns of the scaler.
    pub(super) fn check_columns(&self, shape: Shape) -> Result<()> {
        if shape.cols != self.mean.len() {
            let right = Shape { rows: 1, cols: self.mean.len() };
            let rule = "features must have the columns that the scaler was fitted to";
            return Err(Error::Shape { op: OP, rule, left: shape, right });
        }
        Ok(())
    }

    fn map(&self, x: ArrayView2<'_, f32>, of: impl Fn(f64, f64, f64) -> f64) -> Result<Array2<f32>> {
        let shape = Shape::from(x.dim());
        not_empty(OP, shape.rows, shape.cols)?;
        self.check_columns(shape)?;
        check_rows(x, shape.cols, |row| row)?;
        let mut values = host_room(OP, shape.rows, shape.cols)?;
        for row in x.rows() {
            let columns = row.into_iter().zip(self.mean.iter().zip(&self.scale));
            values.extend(columns.map(|(value, (mean, scale))| of(f64::from(*value), *mean, *scale) as f32));
        }
        let length = values.len();
        Array2::from_shape_vec(x.dim(), values).map_err(|_| Error::Length { op: OP, shape, values: length })
    }
}

/// The scaled value, given the mean and scale of its column.
pub(super) fn scaled(value: f64, mean: f64, scale: f64) -> f64 {
    (value - mean) / scale
}

/// The sum of each column, Σ_r of(x - origin), added in the order of the rows.
fn column_sums(x: &dyn RowSource, origin: &[f64], of: impl Fn(f64) -> f64) -> Result<Vec<f64>> {
    let (cols, mut sums) = (origin.len(), vec![0.0; origin.len()]);
    each_batch(OP, x, |row, values| {
        check_rows(values, cols, |index| row + index)?;
        for row in values.chunks_exact(cols) {
            let columns = row.iter().zip(origin).zip(&mut sums);
            columns.for_each(|((value, origin), sum)| *sum += of(f64::from(*value) - origin));
        }
        Ok(())
    })?;
    Ok(sums)
}

/// Checks that all values of these rows are finite. `row_of` converts an index of a row to its number in errors.
pub(super) fn check_rows<'a>(
    values: impl IntoIterator<Item = &'a f32>,
    cols: usize,
    row_of: impl Fn(usize) -> usize,
) -> Result<()> {
    match values.into_iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => {
            Err(Error::Feature { op: OP, row: row_of(index / cols), col: index % cols, value: *value })
        }
        None => Ok(()),
    }
}
