//! Splits of data into rows to train on and rows to test on.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::table::Table;
use crate::error::{Error, Result};
use crate::host_memory::not_empty;
use crate::metrics::same_length;
use crate::shares::shares;
use crate::targets::Label;

const OP: &str = "train_test_split";

/// Options of [`train_test_split`].
///
/// ```
/// use wgpu_mlp::data::SplitOptions;
/// let options = SplitOptions { test_fraction: 0.2, stratify: true, ..Default::default() };
/// assert_eq!((options.seed, SplitOptions::default().test_fraction), (0, 0.25));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SplitOptions {
    /// The share of the rows to test on, above 0 and below 1. It is rounded up to whole rows, as in scikit-learn.
    pub test_fraction: f64,
    /// The seed of the generator that draws the rows.
    pub seed: u64,
    /// Whether each class is split in the same proportion: scikit-learn's `stratify=y`. Of each class at least one row is kept to
    /// train on.
    pub stratify: bool,
}

impl Default for SplitOptions {
    fn default() -> Self {
        SplitOptions { test_fraction: 0.25, seed: 0, stratify: false }
    }
}

/// Splits features and labels into `(x_train, x_test, labels_train, labels_test)`, in the order of scikit-learn's
/// `train_test_split`.
///
/// A generator with the options' seed draws the rows without replacement, and the rows stay in the order in which they were
/// drawn. Equal seeds and labels give equal splits, but not the splits of scikit-learn. For large arrays that should not be
/// copied, [`train_test_rows`] returns only the numbers of the rows.
///
/// # Errors
/// [`Error::Shape`] unless there is a label for each row; otherwise as [`train_test_rows`].
///
/// ```
/// use wgpu_mlp::data::{SplitOptions, train_test_split};
/// let x = ndarray::Array2::from_shape_fn((8, 2), |(row, _)| row as f32);
/// let labels = [0, 1, 0, 1, 0, 1, 0, 1];
/// let options = SplitOptions { stratify: true, ..Default::default() };
/// let (x_train, x_test, y_train, y_test) = train_test_split(x.view(), &labels, &options)?;
/// assert_eq!((x_train.dim(), x_test.dim()), ((6, 2), (2, 2)));
/// assert_eq!((y_train.iter().sum::<i32>(), y_test.iter().sum::<i32>()), (3, 1)); // half of each are ones
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[allow(clippy::type_complexity, reason = "the four parts that scikit-learn's users know")]
pub fn train_test_split<L: Label>(
    x: ArrayView2<'_, f32>,
    labels: &[L],
    options: &SplitOptions,
) -> Result<(Array2<f32>, Array2<f32>, Vec<L>, Vec<L>)> {
    same_length(OP, "there must be a label for each row", x.dim().into(), labels.len())?;
    let (train, test) = train_test_rows(labels, options)?;
    let features = |rows: &[usize]| x.select(Axis(0), rows);
    Ok((features(&train), features(&test), select(labels, &train), select(labels, &test)))
}

/// Splits the rows with these labels, and returns the numbers of the rows to train on and of the rows to test on.
///
/// # Errors
/// [`Error::Empty`] without labels; [`Error::Option`] unless the fraction is above 0 and below 1, and leaves rows to train on and
/// rows to test on. If classes keep their proportions, a class with a single row is only trained on.
///
/// ```
/// use wgpu_mlp::data::{SplitOptions, train_test_rows};
/// let (train, test) = train_test_rows(&[0, 0, 0, 0, 1, 1, 1, 1, 1, 1], &SplitOptions::default())?;
/// assert_eq!((train.len(), test.len()), (7, 3)); // 2.5, rounded up
/// assert!(test.iter().all(|row| !train.contains(row)));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn train_test_rows<L: Label>(labels: &[L], options: &SplitOptions) -> Result<(Vec<usize>, Vec<usize>)> {
    let rows = labels.len();
    not_empty(OP, rows, 1)?;
    let fraction = options.test_fraction;
    let fail = |rule| Err(Error::Option { op: OP, option: "test_fraction", rule, value: fraction });
    if !(fraction > 0.0 && fraction < 1.0) {
        return fail("above 0 and below 1");
    }
    let wanted = (fraction * rows as f64).ceil() as usize;
    if wanted >= rows {
        return fail("such that rows are left to train on");
    }
    let mut rng = ChaCha12Rng::seed_from_u64(options.seed);
    let groups = if options.stratify { by_label(labels) } else { vec![(0..rows).collect()] };
    let shares = shares(&groups.iter().map(Vec::len).collect::<Vec<_>>(), wanted);
    if shares.iter().sum::<usize>() == 0 {
        return fail("such that there are rows to test on, of a class with two rows or more");
    }
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (mut group, share) in groups.into_iter().zip(shares) {
        group.shuffle(&mut rng);
        train.extend(group.split_off(share));
        test.extend(group);
    }
    // Until here the rows are in the order of their groups.
    train.shuffle(&mut rng);
    test.shuffle(&mut rng);
    Ok((train, test))
}

/// Groups the rows by label, in the order of the labels.
fn by_label<L: Label>(labels: &[L]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<i128, Vec<usize>> = BTreeMap::new();
    for (row, label) in labels.iter().enumerate() {
        groups.entry(label.value()).or_default().push(row);
    }
    groups.into_values().collect()
}

fn select<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| values[*row]).collect()
}

impl Table {
    /// Splits the table into a table with the rows to train on and one with the rows to test on. Both keep all classes and
    /// columns.
    ///
    /// # Errors
    /// As [`train_test_rows`].
    ///
    /// ```
    /// use wgpu_mlp::data::{SplitOptions, read_csv};
    /// let table = read_csv("examples/data/flowers.csv", &Default::default())?;
    /// let (train, test) = table.split(&SplitOptions { test_fraction: 0.2, stratify: true, seed: 7 })?;
    /// assert_eq!((train.labels.len(), test.labels.len()), (120, 30));
    /// assert_eq!(test.classes, table.classes);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn split(&self, options: &SplitOptions) -> Result<(Table, Table)> {
        let (train, test) = train_test_rows(&self.labels, options)?;
        let part = |rows: &[usize]| Table {
            features: self.features.select(Axis(0), rows),
            labels: select(&self.labels, rows),
            classes: self.classes.clone(),
            columns: self.columns.clone(),
            label: self.label.clone(),
        };
        Ok((part(&train), part(&test)))
    }
}
