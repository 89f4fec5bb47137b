//! Prediction, a batch of rows at a time.

pub(super) mod score;

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::Mlp;
use crate::error::{Error, Result, Shape};
use crate::matrix::{Later, Matrix, host_room, not_empty};
use crate::ops;
use crate::waiting::{Arrive, Waiting, at_once};

/// A batch holds about this many values in its widest layer.
const BATCH_VALUES: usize = 1 << 22;

impl Mlp {
    /// The most probable class of each row; `x` is `rows x inputs`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless x has a column for each input; [`Error::Empty`] without rows.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let classes: Vec<u32> = model.predict(ndarray::array![[0.1, 0.2], [0.3, 0.4]].view())?;
    /// assert_eq!(classes.len(), 2);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn predict(&self, x: ArrayView2<'_, f32>) -> Result<Vec<u32>> {
        at_once(self.predict_by(Waiting::Blocking, x))
    }

    pub(super) async fn predict_by(&self, waiting: Waiting, x: ArrayView2<'_, f32>) -> Result<Vec<u32>> {
        self.check_inputs("predict", x)?;
        let mut classes = host_room("predict", x.nrows(), 1)?;
        let start = |rows| self.start_predict(x, rows);
        self.stream(waiting, x.nrows(), start, &mut classes, |_, _| {}).await?;
        Ok(classes)
    }

    /// The probability of each class, `rows x classes`.
    ///
    /// # Errors
    /// As [`Mlp::predict`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let probs = model.predict_proba(ndarray::array![[0.1, 0.2]].view())?;
    /// assert!((probs.sum() - 1.0).abs() < 1e-6);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn predict_proba(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        at_once(self.by_class(Waiting::Blocking, "predict_proba", x, ops::softmax))
    }

    /// The logarithm of each class's probability, `rows x classes`: finite where [`Mlp::predict_proba`] rounds to 0.
    ///
    /// # Errors
    /// As [`Mlp::predict`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let x = ndarray::array![[0.1, 0.2]];
    /// let (logs, probs) = (model.predict_log_proba(x.view())?, model.predict_proba(x.view())?);
    /// assert!((logs[[0, 1]].exp() - probs[[0, 1]]).abs() < 1e-6);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn predict_log_proba(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        at_once(self.by_class(Waiting::Blocking, "predict_log_proba", x, ops::log_softmax))
    }

    /// What `of` makes of the logits, a value a class.
    pub(super) async fn by_class(
        &self,
        waiting: Waiting,
        op: &'static str,
        x: ArrayView2<'_, f32>,
        of: fn(&Matrix) -> Result<Matrix>,
    ) -> Result<Array2<f32>> {
        self.check_inputs(op, x)?;
        let shape = Shape { rows: x.nrows(), cols: self.classes() };
        let mut made = host_room(op, shape.rows, shape.cols)?;
        let start = |rows| self.start_of(x, rows, of);
        self.stream(waiting, x.nrows(), start, &mut made, |_, _| {}).await?;
        shaped(op, shape, made)
    }

    /// Goes through the rows in batches of which two are under way: while the device works on one, the next is uploaded.
    ///
    /// `start` records a batch; what it gives arrives in `values`, in the same order, and is shown to `seen` with the number of
    /// its rows. Beside it stands what keeps the batch's input buffer, so that the two batches never share one. When the
    /// device's memory runs out, the batch before is finished first, and if that does not help, batches become half as long.
    pub(super) async fn stream<S: Arrive>(
        &self,
        waiting: Waiting,
        rows: usize,
        mut start: impl FnMut(Range<usize>) -> Result<(S, Matrix)>,
        values: &mut S::Values,
        mut seen: impl FnMut(&mut S::Values, usize),
    ) -> Result<()> {
        let mut under_way: Option<((S, Matrix), usize)> = None;
        let (mut first, mut batch) = (0, self.batch_rows());
        while first < rows || under_way.is_some() {
            let range = first..rows.min(first.saturating_add(batch));
            if !range.is_empty() {
                self.device.make_room(waiting).await?;
            }
            let before = match (!range.is_empty()).then(|| start(range.clone())).transpose() {
                Ok(started) => {
                    first = range.end;
                    std::mem::replace(&mut under_way, started.map(|started| (started, range.len())))
                }
                Err(Error::OutOfMemory { .. }) if under_way.is_some() => under_way.take(),
                Err(Error::OutOfMemory { .. }) if range.len() > 1 => {
                    batch = range.len() / 2;
                    log::warn!("out of device memory: going on with batches of {batch} rows");
                    None
                }
                Err(error) => return Err(error),
            };
            if let Some(((coming, _input), rows)) = before {
                coming.arrive(waiting, values).await?;
                seen(values, rows);
            }
        }
        Ok(())
    }

    /// The classes of these rows, on their way.
    fn start_predict(&self, x: ArrayView2<'_, f32>, rows: Range<usize>) -> Result<(Later<u32>, Matrix)> {
        let x = self.upload(x, rows)?;
        Ok((ops::argmax(&self.logits(&x)?)?.read_later()?, x))
    }

    /// What `of` makes of these rows' logits, on its way.
    fn start_of(
        &self,
        x: ArrayView2<'_, f32>,
        rows: Range<usize>,
        of: fn(&Matrix) -> Result<Matrix>,
    ) -> Result<(Later<f32>, Matrix)> {
        let x = self.upload(x, rows)?;
        Ok((of(&self.logits(&x)?)?.read_later()?, x))
    }

    fn upload(&self, x: ArrayView2<'_, f32>, rows: Range<usize>) -> Result<Matrix> {
        Matrix::from_array(&self.device, x.slice_axis(Axis(0), Slice::from(rows)))
    }

    /// The logits of features that are on the model's device already: `rows x inputs` to `rows x classes`, recorded and not
    /// waited for, a launch a layer. Nothing is copied or read back; [`ops::softmax`] makes probabilities of them and
    /// [`ops::argmax`] classes, which stay on the device too. All rows go through at once: for batches see [`Mlp::predict`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless x has a column for each input; [`Error::OtherDevice`] for x of another device;
    /// [`Error::OutOfMemory`] where the device has no room for a layer's outputs.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Mlp, ops};
    /// let device = Device::auto()?;
    /// let model = Mlp::new(&device, &[2, 8, 3], 0)?;
    /// let x = ndarray::array![[0.1, 0.2], [0.3, 0.4]];
    /// let on_device = Matrix::from_array(&device, x.view())?; // or Device::wrap_matrix, of a buffer of your own
    /// let probs = ops::softmax(&model.logits(&on_device)?)?;
    /// assert_eq!(probs.to_array()?, model.predict_proba(x.view())?); // only this waits
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn logits(&self, x: &Matrix) -> Result<Matrix> {
        let mut activations = x.clone();
        for layer in &self.layers {
            activations = layer.infer(&activations)?;
        }
        Ok(activations)
    }

    /// Rows a batch, so that its widest layer holds about [`BATCH_VALUES`].
    pub(crate) fn batch_rows(&self) -> usize {
        let widest = self.layers.iter().map(|layer| layer.weights().cols()).fold(self.inputs(), usize::max);
        (BATCH_VALUES / widest).max(1)
    }

    pub(super) fn check_inputs(&self, op: &'static str, x: ArrayView2<'_, f32>) -> Result<()> {
        let (rows, cols) = x.dim();
        not_empty(op, rows, cols)?;
        if cols != self.inputs() {
            let right =
                Shape { rows: self.inputs(), cols: self.layers.first().map_or(0, |layer| layer.weights().cols()) };
            let rule = "features must have a column for each input of the first layer";
            return Err(Error::Shape { op, rule, left: Shape { rows, cols }, right });
        }
        Ok(())
    }
}

/// The array of these values.
fn shaped(op: &'static str, shape: Shape, values: Vec<f32>) -> Result<Array2<f32>> {
    let length = values.len();
    Array2::from_shape_vec((shape.rows, shape.cols), values).map_err(|_| Error::Length { op, shape, values: length })
}

/// An error unless there is a label for each row.
pub(super) fn check_rows(op: &'static str, x: ArrayView2<'_, f32>, labels: usize) -> Result<()> {
    if x.nrows() != labels {
        let right = Shape { rows: labels, cols: 1 };
        return Err(Error::Shape { op, rule: "there must be a label for each row", left: x.dim().into(), right });
    }
    Ok(())
}
