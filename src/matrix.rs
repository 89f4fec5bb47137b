//! Matrices of f32, each on one device.

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

/// A matrix of `rows x cols` values of f32, row-major, on one [`Device`].
///
/// Clones are cheap, but a clone never sees later changes: an op that works in place first copies a matrix that shares its values
/// with a clone.
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
    /// A matrix with the values of an array of any layout.
    ///
    /// # Errors
    /// [`Error::Empty`] without rows or columns; [`Error::Limit`] and [`Error::OutOfMemory`] if the matrix is too large for the
    /// device.
    pub fn from_array(device: &Device, array: ArrayView2<'_, f32>) -> Result<Self> {
        // This does not block in browsers either: there an upload is only recorded.
        at_once(Self::from_array_by(Waiting::Blocking, device, array))
    }

    /// A matrix with the values of an array, as [`Self::from_array`]. Its uploads may wait, if the array is large or the device
    /// is far behind; this form then does not block the thread.
    ///
    /// # Errors
    /// As [`Self::from_array`].
    pub async fn from_array_async(device: &Device, array: ArrayView2<'_, f32>) -> Result<Self> {
        Self::from_array_by(Waiting::Yielding, device, array).await
    }

    blocking_and_async! {
        /// Copies the matrix to the host. On a GPU this waits for all work that the values depend on.
        ///
        /// The asynchronous form suits any executor. The work is submitted to the device when the future is first polled. With
        /// OpenGL that first poll blocks, since an OpenGL context serves one thread at a time.
        ///
        /// # Errors
        /// Any error of the device since the last call; [`Error::Read`] when the values cannot be read.
        pub fn to_array, to_array_async(&self) -> Result<Array2<f32>> = |waiting| {
            self.to_array_by(waiting).await
        }

        /// Copies the matrix into an existing array. This is faster for results that are read repeatedly, since the system takes
        /// longer to provide new memory than the copy takes.
        ///
        /// # Errors
        /// [`Error::Shape`] unless the array has the shape of this matrix; otherwise as [`Matrix::to_array`].
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

    /// A matrix with these values, row by row.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are `rows * cols` values; otherwise as [`Matrix::from_array`].
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

    /// A matrix of a dry run. It has a name and a shape, but no values.
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
            // The rows of the target do not lie one after the other.
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

    /// Starts to read the values. The host need not wait for the device yet.
    pub(crate) fn read_later(&self) -> Result<Later<f32>> {
        match &self.storage {
            Storage::Cpu(array) => Ok(Later::Ready(array.iter().copied().collect())),
            Storage::Gpu(buffer) => Ok(Later::Reading(buffer.context().read_later(buffer)?)),
        }
    }

    /// The shape of the matrix, as `(rows, cols)`.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The device that holds the matrix.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn dims(&self) -> Shape {
        Shape { rows: self.rows, cols: self.cols }
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Makes a matrix of a result in host memory. `device` is the device of the operands.
    pub(crate) fn on_cpu(device: &Device, array: impl Into<Kept>) -> Self {
        let array = array.into();
        let (rows, cols) = array.dim();
        Matrix { device: device.clone(), rows, cols, storage: Storage::Cpu(Arc::new(array)) }
    }

    /// Makes a matrix of a GPU result, which has been recorded into this buffer.
    pub(crate) fn on_gpu(device: &Device, rows: usize, cols: usize, buffer: Buffer) -> Self {
        Matrix { device: device.clone(), rows, cols, storage: Storage::Gpu(Arc::new(buffer)) }
    }

    /// Whether a clone of the matrix shares its storage.
    pub(crate) fn is_shared(&self) -> bool {
        match &self.storage {
            Storage::Cpu(array) => Arc::strong_count(array) > 1,
            Storage::Gpu(buffer) => Arc::strong_count(buffer) > 1,
        }
    }

    /// The array in host memory, for an op that works in place. It is copied first if a clone shares it.
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
