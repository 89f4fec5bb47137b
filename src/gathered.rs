//! Rows of a source on their way to a device: read when they are needed, or ahead of that by other threads.

use ndarray::Array2;

use crate::cpu;
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
    Host(Vec<f32>),
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
        _ => Ok(Piece::Host(wanted.read_all()?)),
    }
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
            None => {
                host_room::<f32>("matrix", rows, cols)?;
                let mut array = cpu::unwritten(rows, cols);
                array.as_slice_mut().map_or(Ok(()), |values| wanted.read(values))?;
                Ok(Self::on_cpu(device, array))
            }
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
            (first, _) => {
                let mut values = match first {
                    Some(Piece::Host(values)) => values,
                    _ => Vec::new(),
                };
                for piece in pieces {
                    if let Piece::Host(more) = piece? {
                        values.extend(more);
                    }
                }
                let (shape, found) = (Shape { rows, cols }, values.len());
                let array = Array2::from_shape_vec((rows, cols), values);
                let array = array.map_err(|_| Error::Length { op: "matrix", shape, values: found })?;
                match device.context() {
                    None => Ok(Self::on_cpu(device, array)),
                    Some(_) => Self::from_array(device, array.view()),
                }
            }
        }
    }
}
