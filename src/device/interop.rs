//! Interop: shares buffers with a program's own wgpu commands.

use std::sync::Arc;

use super::device::Device;
use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::host_memory::not_empty;
use crate::matrix::Matrix;
use crate::storage::Storage;
use crate::targets::{Kind, Targets};

impl Device {
    /// Submits all recorded work to the device's queue, without waiting. Call this before you use a [`Matrix::wgpu_buffer`] in
    /// your own commands on the same queue.
    ///
    /// # Errors
    /// Any error of the device since the last call.
    pub fn flush(&self) -> Result<()> {
        self.context().map_or(Ok(()), Context::flush)
    }

    /// A matrix on the caller's own buffer, without a copy. Its values are row-major f32 from byte `offset` of the buffer on. The
    /// offset must be a multiple of 256, since every device can bind those. The buffer's usage must include `STORAGE`, `COPY_SRC`
    /// and `COPY_DST`. Ops that work in place change the caller's buffer.
    ///
    /// Several matrices may lie in one buffer, and a buffer may be wrapped more than once. The crate recognises a buffer by its
    /// identity: if an op reads and writes the same buffer, it first copies what it reads. Two matrices that an op writes must
    /// not overlap ([`Error::Combination`]). If the caller destroys a buffer that is still to be read, the results of that read
    /// are lost, and so are those of all work recorded with it ([`Error::Unwritten`]).
    ///
    /// # Errors
    /// [`Error::Limit`] if the buffer is too short, [`Error::Option`] for an offset that is not a multiple of 256,
    /// [`Error::Combination`] if a usage is missing, [`Error::OtherDevice`] on the CPU path, [`Error::Device`] for a buffer of
    /// another device. A buffer of another wgpu instance cannot be recognised.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix};
    /// if let Ok(device) = Device::gpu() {
    ///     // The buffer here is the crate's own; one of the program's own does as well.
    ///     let numbers: Vec<f32> = (0..70u8).map(f32::from).collect();
    ///     let all = Matrix::from_slice(&device, 1, 70, &numbers)?;
    ///     if let Some((buffer, 0)) = all.wgpu_buffer() {
    ///         let x = device.wrap_matrix(buffer, 256, 2, 3)?; // behind 64 numbers
    ///         assert_eq!(x.to_array()?, ndarray::array![[64., 65., 66.], [67., 68., 69.]]);
    ///     }
    /// }
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn wrap_matrix(&self, buffer: wgpu::Buffer, offset: u64, rows: usize, cols: usize) -> Result<Matrix> {
        not_empty("matrix", rows, cols)?;
        let gpu = self.gpu_context("matrix")?;
        Ok(Matrix::on_gpu(self, rows, cols, gpu.wrap("matrix", buffer, offset, rows, cols)?))
    }

    /// Class ids that the caller's own commands write: one u32 for each row, in a buffer as in [`Device::wrap_matrix`].
    ///
    /// The ids are not checked by this call, but by the kernels. A row whose id is not a class has NaN as its loss and gradient,
    /// is counted in [`Statistics`](crate::ops::Statistics), and is never correct in [`accuracy`](crate::ops::accuracy).
    ///
    /// # Errors
    /// As [`Device::wrap_matrix`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Result, ops, wgpu};
    /// fn first_bad(logits: &Matrix, labels: wgpu::Buffer) -> Result<Option<u64>> {
    ///     let (rows, classes) = logits.shape();
    ///     let targets = logits.device().wrap_classes(labels, 0, rows, classes)?;
    ///     Ok(ops::softmax_cross_entropy(logits, &targets, &Default::default())?.stats()?.first_bad_row)
    /// }
    /// if let Ok(device) = Device::gpu() {
    ///     // The bits of the classes 2 and 7, of which there are three.
    ///     let bits = [f32::from_bits(2), f32::from_bits(7)];
    ///     if let Some((labels, 0)) = Matrix::from_slice(&device, 2, 1, &bits)?.wgpu_buffer() {
    ///         assert_eq!(first_bad(&Matrix::zeros(&device, 2, 3)?, labels)?, Some(1));
    ///     }
    /// }
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn wrap_classes(&self, buffer: wgpu::Buffer, offset: u64, rows: usize, classes: usize) -> Result<Targets> {
        not_empty("targets", rows, classes)?;
        let ids = self.gpu_context("targets")?.wrap("targets", buffer, offset, rows, 1)?;
        Ok(Targets::made(self, rows, classes, Kind::GpuClasses(Arc::new(ids))))
    }

    fn gpu_context(&self, op: &'static str) -> Result<&Context> {
        let name = || self.info().name.clone();
        self.context().ok_or_else(|| Error::OtherDevice { op, left: "a GPU".into(), right: name() })
    }
}

impl Matrix {
    /// The wgpu buffer that holds the matrix, as row-major f32, and the byte at which the matrix starts. It is for the caller's
    /// own commands. `None` on the CPU path.
    ///
    /// The buffer may be longer than the matrix: one buffer holds all parameters of an [`Mlp`](crate::Mlp). When the matrix and
    /// its clones are dropped, the buffer is reused for other matrices. In browsers it is destroyed when the crate no longer
    /// needs it, even if the caller has a clone of the handle.
    pub fn wgpu_buffer(&self) -> Option<(wgpu::Buffer, u64)> {
        match self.storage() {
            Storage::Cpu(_) => None,
            Storage::Gpu(buffer) => buffer.wgpu().map(|whole| (whole.clone(), buffer.offset())),
        }
    }
}
