//! Batches: the rows to train or validate on, and their upload.

use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::source::{RowSource, Wanted};
use crate::targets::Targets;

/// Rows of features with their labels, and their weights if they have any.
#[derive(Clone, Copy)]
pub(in crate::mlp) struct LabelledRows<'a> {
    /// The op that reads the rows, as errors name it.
    pub op: &'static str,
    pub x: &'a dyn RowSource,
    /// The number of columns, which is known to be the model's number of inputs.
    pub cols: usize,
    /// The class id of each row, or the mark of an ignored row. The ids are known to be classes of the model.
    pub ids: &'a [u32],
    pub weights: Option<&'a [f32]>,
    /// The factor that weights are multiplied by on their way to the device. It depends on all rows of a call.
    pub weight_scale: f64,
}

/// A batch of rows on a device.
pub(in crate::mlp) struct Batch {
    pub x: Matrix,
    pub targets: Targets,
    pub weights: Option<Matrix>,
}

impl<'a> LabelledRows<'a> {
    /// Rows of a source that has this number of columns.
    pub fn new(
        op: &'static str,
        (x, cols): (&'a dyn RowSource, usize),
        ids: &'a [u32],
        weights: Option<&'a [f32]>,
    ) -> Self {
        LabelledRows { op, x, cols, ids, weights, weight_scale: 1.0 }
    }

    /// The largest weight of a row that has a class.
    pub fn largest_weight(&self) -> f32 {
        let weights = self.ids.iter().zip(self.weights.unwrap_or_default());
        weights.filter(|(id, _)| class_of(**id).is_some()).map(|(_, weight)| *weight).fold(0.0, f32::max)
    }

    /// The class of a row that takes part in the losses: a row that is not ignored and whose weight is not 0.
    pub fn counting_class(&self, row: usize) -> Option<usize> {
        class_of(self.ids[row]).filter(|_| self.weights.is_none_or(|weights| weights[row] > 0.0))
    }

    /// The features of the rows with these numbers, to be read by up to this number of threads.
    pub fn features<'b>(&self, rows: &'b [usize], threads: usize) -> Wanted<'b>
    where
        'a: 'b,
    {
        Wanted::new(self.op, self.x, self.cols, rows).by(threads)
    }

    /// Makes a batch of the rows with these numbers: reads their features now and uploads everything.
    pub fn batch(&self, device: &Device, rows: &[usize], classes: usize) -> Result<Batch> {
        self.batch_with(device, rows, classes, Matrix::from_rows(device, self.features(rows, 1))?)
    }

    /// Makes a batch of the rows with these numbers, whose features are already on the device.
    pub fn batch_with(&self, device: &Device, rows: &[usize], classes: usize, x: Matrix) -> Result<Batch> {
        let ids = rows.iter().map(|row| self.ids[*row]).collect();
        let weight = |weights: &[f32], row: &usize| (f64::from(weights[*row]) * self.weight_scale) as f32;
        let weights = self.weights.map(|weights| rows.iter().map(|row| weight(weights, row)).collect::<Vec<_>>());
        Ok(Batch {
            x,
            targets: Targets::of_ids(device, ids, classes)?,
            weights: weights.map(|weights| Matrix::from_slice(device, rows.len(), 1, &weights)).transpose()?,
        })
    }
}

/// The class of a row with this id, or `None` if the row is ignored.
pub(super) fn class_of(id: u32) -> Option<usize> {
    (id != Targets::MARK).then_some(id as usize)
}
