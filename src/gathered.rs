//! Rows of a source on their way to a device: read when they are needed, or ahead of that by other threads.

use ndarray::s;

use crate::cpu::{self, Kept};
use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::gpu::{Context, Staged};
use crate::host_memory::{host_room, not_empty};
use crate::matrix::Matrix;
use crate::source::Wanted;
use crate::waiting::{Waiting, at_once};

/// A piece of a batch whose rows were read ahead.
pub(crate) enum Piece {
    /// In host memory.
    Host(Kept),
    /// In staging memory of a GPU.
    Staged(Staged),
}

/// Whether the device has done everything that it was handed.
pub(crate) fn is_idle(device: &Device) -> bool {
    device.context().is_none_or(Context::is_idle)
}

/// The number of rows of a piece. A batch whose pieces are no longer than that can be read by several threads.
pub(crate) fn piece_rows(cols: usize) -> usize {
    Context::staged_rows(cols)
}

/// Reads a piece of a batch of so many rows. Any thread may.
pub(crate) fn read_piece(device: &Device, wanted: Wanted<'_>, batch: usize) -> Result<Piece> {
    match device.context() {
        Some(gpu) if Context::stages(batch * wanted.cols) && wanted.cols <= Context::MOST_GATHERED => {
            Ok(Piece::Staged(gpu.stage(wanted)?))
        }
        _ => Ok(Piece::Host(read_host(wanted)?)),
    }
}

/// Reads rows into host memory, that of an earlier batch if there is some.
fn read_host(wanted: Wanted<'_>) -> Result<Kept> {
    let (rows, cols) = (wanted.rows.len(), wanted.cols);
    host_room::<f32>(wanted.op, rows, cols)?;
    let mut array = cpu::unwritten(rows, cols);
    array.as_slice_mut().map_or(Ok(()), |values| wanted.read(values))?;
    Ok(array.into())
}

/// A batch whose pieces are in host memory, as one array.
fn joined(
    (rows, cols): (usize, usize),
    first: Option<Kept>,
    more: impl Iterator<Item = Result<Piece>>,
) -> Result<Kept> {
    let first = match first {
        Some(whole) if whole.nrows() == rows => return Ok(whole),
        first => first,
    };
    let (mut array, mut done) = (cpu::unwritten(rows, cols), 0);
    for piece in first.map(|first| Ok(Piece::Host(first))).into_iter().chain(more) {
        if let Piece::Host(piece) = piece? {
            let end = done + piece.nrows();
            array.slice_mut(s![done..end, ..]).assign(&piece);
            done = end;
        }
    }
    if done != rows {
        return Err(Error::Length { op: "matrix", shape: Shape { rows, cols }, values: done * cols });
    }
    Ok(array.into())
}

impl Matrix {
    /// These rows of a source, read now.
    pub(crate) fn from_rows(device: &Device, wanted: Wanted<'_>) -> Result<Self> {
        let (rows, cols) = (wanted.rows.len(), wanted.cols);
        not_empty("matrix", rows, cols)?;
        if let Some(values) = wanted.neighbours() {
            return Self::from_slice(device, rows, cols, values);
        }
        match device.context() {
            None => Ok(Self::on_cpu(device, read_host(wanted)?)),
            // Longer rows go in pieces of rows.
            Some(_) if cols > Context::MOST_GATHERED => Self::from_slice(device, rows, cols, &wanted.read_all()?),
            Some(gpu) => {
                let buffer = gpu.buffer("matrix", rows, cols)?;
                at_once(gpu.write_rows(Waiting::Blocking, &buffer, wanted))?;
                Ok(Self::on_gpu(device, rows, cols, buffer))
            }
        }
    }

    /// A batch of rows that were read ahead, piece by piece.
    pub(crate) fn from_pieces(
        device: &Device,
        (rows, cols): (usize, usize),
        mut pieces: impl Iterator<Item = Result<Piece>>,
    ) -> Result<Self> {
        not_empty("matrix", rows, cols)?;
        match (pieces.next().transpose()?, device.context()) {
            (Some(Piece::Staged(first)), Some(gpu)) => {
                let buffer = gpu.buffer("matrix", rows, cols)?;
                let staged = |piece| match piece {
                    Ok(Piece::Staged(staged)) => Some(Ok(staged)),
                    Ok(Piece::Host(_)) => None,
                    Err(error) => Some(Err(error)),
                };
                gpu.write_staged(&buffer, std::iter::once(Ok(first)).chain(pieces.filter_map(staged)))?;
                Ok(Self::on_gpu(device, rows, cols, buffer))
            }
            (first, gpu) => {
                let first = first.and_then(|piece| if let Piece::Host(piece) = piece { Some(piece) } else { None });
                let array = joined((rows, cols), first, pieces)?;
                if gpu.is_some() { Self::from_array(device, array.view()) } else { Ok(Self::on_cpu(device, array)) }
            }
        }
    }
}
