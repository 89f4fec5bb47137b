//! Rows of a source on their way to a device. They are read when they are needed, or ahead of time by other threads.

use ndarray::s;

use crate::cpu::{self, Kept};
use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::gpu::{Context, Staged};
use crate::host_memory::{host_room, not_empty};
use crate::matrix::Matrix;
use crate::source::Wanted;
use crate::waiting::{Waiting, at_once};

/// A piece of a batch: rows that were read ahead.
pub(crate) enum Piece {
    /// Rows in host memory.
    Host(Kept),
    /// Rows in the staging memory of a GPU.
    Staged(Staged),
}

impl Piece {
    fn host(self) -> Option<Kept> {
        if let Piece::Host(rows) = self { Some(rows) } else { None }
    }

    fn staged(self) -> Option<Staged> {
        if let Piece::Staged(rows) = self { Some(rows) } else { None }
    }
}

/// Whether the device has done all work that was submitted to it. The CPU path always has.
pub(crate) fn is_idle(device: &Device) -> bool {
    device.context().is_none_or(Context::is_idle)
}

/// The maximal number of rows of a piece. Several threads can read a batch together, a piece each.
pub(crate) fn piece_rows(cols: usize) -> usize {
    Context::staged_rows(cols)
}

/// The GPU on which a batch of this shape is staged. It is `None` for a short batch, which is copied faster when it is needed.
fn stages(device: &Device, (rows, cols): (usize, usize)) -> Option<&Context> {
    // The number of values is limited so that their bytes can be counted. A longer batch is refused when its matrix is made.
    let values = rows.saturating_mul(cols).min(usize::MAX / size_of::<f32>());
    device.context().filter(|_| Context::stages(values) && cols <= Context::MOST_GATHERED)
}

/// Reads a piece of a batch, which has `batch` rows in all. Any thread may call this.
pub(crate) fn read_piece(device: &Device, wanted: Wanted<'_>, batch: usize) -> Result<Piece> {
    match stages(device, (batch, wanted.cols)) {
        Some(gpu) => Ok(Piece::Staged(gpu.stage(wanted)?)),
        None => Ok(Piece::Host(read_host(wanted)?)),
    }
}

/// Reads rows into host memory. The memory of an earlier batch is reused if there is any.
fn read_host(wanted: Wanted<'_>) -> Result<Kept> {
    let (rows, cols) = (wanted.rows.len(), wanted.cols);
    host_room::<f32>(wanted.op, rows, cols)?;
    let mut array = cpu::unwritten(rows, cols);
    array.as_slice_mut().map_or(Ok(()), |values| wanted.read(values))?;
    Ok(array.into())
}

/// Joins the pieces of a batch, which are in host memory, to one array.
fn joined((rows, cols): (usize, usize), pieces: impl Iterator<Item = Result<Kept>>) -> Result<Kept> {
    drop(host_room::<f32>("matrix", rows, cols)?);
    let (mut array, mut done) = (None, 0);
    for piece in pieces {
        let piece = piece?;
        if piece.nrows() == rows {
            return Ok(piece);
        }
        let end = done + piece.nrows();
        array.get_or_insert_with(|| cpu::unwritten(rows, cols)).slice_mut(s![done..end, ..]).assign(&piece);
        done = end;
    }
    all_of((rows, cols), done.saturating_mul(cols))?;
    Ok(array.unwrap_or_else(|| cpu::unwritten(rows, cols)).into())
}

/// Refuses a batch whose number of values does not fit its shape.
fn all_of((rows, cols): (usize, usize), values: usize) -> Result<()> {
    let shape = Shape { rows, cols };
    if rows.checked_mul(cols) == Some(values) { Ok(()) } else { Err(Error::Length { op: "matrix", shape, values }) }
}

impl Matrix {
    /// Reads these rows of a source now, and makes a matrix of them.
    pub(crate) fn from_rows(device: &Device, wanted: Wanted<'_>) -> Result<Self> {
        let (rows, cols) = (wanted.rows.len(), wanted.cols);
        not_empty("matrix", rows, cols)?;
        if let Some(values) = wanted.neighbours() {
            return Self::from_slice(device, rows, cols, values);
        }
        match device.context() {
            None => Ok(Self::on_cpu(device, read_host(wanted)?)),
            // Rows that are too long to be gathered are read into host memory first.
            Some(_) if cols > Context::MOST_GATHERED => Self::from_slice(device, rows, cols, &wanted.read_all()?),
            Some(gpu) => {
                let buffer = gpu.buffer("matrix", rows, cols)?;
                at_once(gpu.write_rows(Waiting::Blocking, &buffer, wanted))?;
                Ok(Self::on_gpu(device, rows, cols, buffer))
            }
        }
    }

    /// Makes a matrix of a batch whose pieces were read ahead by [`read_piece`].
    pub(crate) fn from_pieces(
        device: &Device,
        (rows, cols): (usize, usize),
        pieces: impl Iterator<Item = Result<Piece>>,
    ) -> Result<Self> {
        not_empty("matrix", rows, cols)?;
        if let Some(gpu) = stages(device, (rows, cols)) {
            let buffer = gpu.buffer("matrix", rows, cols)?;
            let bytes = gpu.write_staged(&buffer, pieces.filter_map(|piece| piece.map(Piece::staged).transpose()))?;
            all_of((rows, cols), usize::try_from(bytes).unwrap_or(usize::MAX) / size_of::<f32>())?;
            return Ok(Self::on_gpu(device, rows, cols, buffer));
        }
        let array = joined((rows, cols), pieces.filter_map(|piece| piece.map(Piece::host).transpose()))?;
        match device.context() {
            Some(_) => Self::from_array(device, array.view()),
            None => Ok(Self::on_cpu(device, array)),
        }
    }
}
