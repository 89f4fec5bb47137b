//! Matrices of f32, living on one device.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::cpu::{self, Kept};
use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::gpu::Buffer;
use crate::host_memory::{host_room, not_empty};
use crate::storage::{Later, Storage};
use crate::waiting::{Waiting, at_once, blocking_and_async};

/// `rows x cols` of f32, row-major, on one [`Device`].
///
/// Clones are cheap and behave as values: an op that works in place copies first where a clone still holds the old
/// content.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1.0, 2.0], [3.0, 4.0]].view())?;
/// assert_eq!(x.shape(), (2, 2));
/// assert_eq!(x.to_array()?[[1, 0]], 3.0);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone)]
pub struct Matrix {
    device: Device,
    rows: usize,
    cols: usize,
    storage: Storage,
}

impl Matrix {
    /// A matrix with the array's content, in whatever layout the array is.
    ///
    /// # Errors
    /// [`Error::Empty`] without rows or columns; [`Error::Limit`] and [`Error::OutOfMemory`] when the device cannot
    /// hold it.
    pub fn from_array(device: &Device, array: ArrayView2<'_, f32>) -> Result<Self> {
        // In browsers, too: an upload is recorded there, and waits for nothing.
        at_once(Self::from_array_by(Waiting::Blocking, device, array))
    }

    /// [`Self::from_array`] without blocking the thread, where the array is so large, or the device so far behind, that uploads wait.
    pub async fn from_array_async(device: &Device, array: ArrayView2<'_, f32>) -> Result<Self> {
        Self::from_array_by(Waiting::Yielding, device, array).await
    }

    blocking_and_async! {
        /// The content, brought back to the host. On a GPU this waits for everything that leads to it.
        ///
        /// The asynchronous form suits any executor. The work is handed to the device when the future is first polled. Through
        /// OpenGL, whose context serves one thread at a time, that poll waits.
        ///
        /// # Errors
        /// Whatever went wrong on the device since the last call; [`Error::Read`] when the content cannot be fetched.
        pub fn to_array, to_array_async(&self) -> Result<Array2<f32>> = |waiting| {
            self.to_array_by(waiting).await
        }

        /// Copies the content into an existing array: for results that are read again and again, since new memory costs
        /// the system more time than the copy.
        ///
        /// # Errors
        /// [`Error::Shape`] unless the array has this matrix's shape; else as [`Matrix::to_array`].
        ///
        /// ```
        /// use ndarray::Array2;
        /// use wgpu_mlp::{Device, Matrix};
        /// let x = Matrix::from_slice(&Device::cpu(), 1, 2, &[1.0, 2.0])?;
        /// let mut kept = Array2::zeros((1, 2));
        /// x.read_into(kept.view_mut())?;
        /// assert_eq!(kept, ndarray::array![[1.0, 2.0]]);
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn read_into, read_into_async(&self, target: ArrayViewMut2<'_, f32>) -> Result<()> = |waiting| {
            self.read_into_by(waiting, target).await
        }
    }

    async fn from_array_by(waiting: Waiting, device: &Device, array: ArrayView2<'_, f32>) -> Result<Self> {
        let (rows, cols) = array.dim();
        not_empty("matrix", rows, cols)?;
        let storage = match device.context() {
            None => {
                host_room::<f32>("matrix", rows, cols)?;
                Storage::Cpu(Arc::new(cpu::copied(array)))
            }
            Some(gpu) => {
                let buffer = gpu.buffer("matrix", rows, cols)?;
                if !array.is_standard_layout() {
                    drop(host_room::<f32>("matrix", rows, cols)?);
                }
                let array = array.as_standard_layout();
                gpu.write_by(waiting, &buffer, array.as_slice().unwrap_or_default()).await?;
                Storage::Gpu(Arc::new(buffer))
            }
        };
        Ok(Matrix { device: device.clone(), rows, cols, storage })
    }

    /// A matrix of these values, row by row.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are `rows * cols` values; else as [`Matrix::from_array`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix};
    /// let x = Matrix::from_slice(&Device::cpu(), 1, 3, &[4.8, 1.21, 2.385])?;
    /// assert!(Matrix::from_slice(&Device::cpu(), 2, 3, &[1.0]).is_err());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn from_slice(device: &Device, rows: usize, cols: usize, values: &[f32]) -> Result<Self> {
        not_empty("matrix", rows, cols)?;
        let array =
            ArrayView2::from_shape((rows, cols), values).ok().filter(|_| rows.checked_mul(cols) == Some(values.len()));
        let shape = Shape { rows, cols };
        let array = array.ok_or(Error::Length { op: "matrix", shape, values: values.len() })?;
        Self::from_array(device, array)
    }

    /// A matrix of zeros.
    ///
    /// # Errors
    /// As [`Matrix::from_array`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix};
    /// assert_eq!(Matrix::zeros(&Device::cpu(), 2, 3)?.to_array()?.sum(), 0.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn zeros(device: &Device, rows: usize, cols: usize) -> Result<Self> {
        not_empty("matrix", rows, cols)?;
        let storage = match device.context() {
            None => {
                host_room::<f32>("matrix", rows, cols)?;
                Storage::Cpu(Arc::new(Array2::zeros((rows, cols)).into()))
            }
            Some(gpu) => Storage::Gpu(Arc::new(gpu.zeros("matrix", rows, cols)?)),
        };
        Ok(Matrix { device: device.clone(), rows, cols, storage })
    }

    /// A matrix of a dry run: a name and a shape, without content.
    pub(crate) fn planned(device: &Device, name: &'static str, rows: usize, cols: usize) -> Result<Self> {
        match device.context() {
            None => Self::zeros(device, rows, cols),
            Some(gpu) => Ok(Self::on_gpu(device, rows, cols, gpu.buffer(name, rows, cols)?)),
        }
    }

    async fn read_into_by(&self, waiting: Waiting, mut target: ArrayViewMut2<'_, f32>) -> Result<()> {
        if target.dim() != self.shape() {
            let rule = "the array must have the matrix's shape";
            return Err(Error::Shape { op: "read_into", rule, left: self.dims(), right: target.dim().into() });
        }
        match (&self.storage, target.as_slice_mut()) {
            (Storage::Cpu(array), _) => target.assign(array),
            (Storage::Gpu(buffer), Some(values)) => buffer.context().read_into(waiting, buffer, values).await?,
            // Its rows do not lie one after the other.
            (Storage::Gpu(_), None) => target.assign(&self.to_array_by(waiting).await?),
        }
        Ok(())
    }

    pub(crate) async fn to_array_by(&self, waiting: Waiting) -> Result<Array2<f32>> {
        match &self.storage {
            Storage::Cpu(array) => {
                let mut values = host_room("to_array", self.rows, self.cols)?;
                values.extend_from_slice(array.as_slice().unwrap_or_default());
                self.shaped(values)
            }
            Storage::Gpu(buffer) => self.shaped(buffer.context().read(waiting, buffer).await?),
        }
    }

    fn shaped(&self, values: Vec<f32>) -> Result<Array2<f32>> {
        let (shape, found) = (self.dims(), values.len());
        let array = Array2::from_shape_vec((self.rows, self.cols), values);
        array.map_err(|_| Error::Length { op: "to_array", shape, values: found })
    }

    /// The content, to be fetched later; the device need not be waited for yet.
    pub(crate) fn read_later(&self) -> Result<Later<f32>> {
        match &self.storage {
            Storage::Cpu(array) => Ok(Later::Ready(array.iter().copied().collect())),
            Storage::Gpu(buffer) => Ok(Later::Reading(buffer.context().read_later(buffer)?)),
        }
    }

    /// `(rows, cols)`.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The device that holds it.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn dims(&self) -> Shape {
        Shape { rows: self.rows, cols: self.cols }
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// A CPU result; the device is the one its operands live on.
    pub(crate) fn on_cpu(device: &Device, array: impl Into<Kept>) -> Self {
        let array = array.into();
        let (rows, cols) = array.dim();
        Matrix { device: device.clone(), rows, cols, storage: Storage::Cpu(Arc::new(array)) }
    }

    /// A GPU result that has been recorded into this buffer.
    pub(crate) fn on_gpu(device: &Device, rows: usize, cols: usize, buffer: Buffer) -> Self {
        Matrix { device: device.clone(), rows, cols, storage: Storage::Gpu(Arc::new(buffer)) }
    }

    /// Whether a clone shares the storage.
    pub(crate) fn is_shared(&self) -> bool {
        match &self.storage {
            Storage::Cpu(array) => Arc::strong_count(array) > 1,
            Storage::Gpu(buffer) => Arc::strong_count(buffer) > 1,
        }
    }

    /// The array in host memory for an op that works in place: copied first where a clone shares it.
    pub(crate) fn array_mut(&mut self) -> Option<&mut Array2<f32>> {
        let Storage::Cpu(array) = &mut self.storage else { return None };
        let kept = Arc::make_mut(array);
        Some(kept)
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Matrix({} on {})", self.dims(), self.device.info().name)
    }
}
