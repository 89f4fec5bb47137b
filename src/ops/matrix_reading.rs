//! Reads of matrices that begin while the device computes other values.

use ndarray::Array2;

use crate::error::Result;
use crate::gpu::LongReading;
use crate::matrix::Matrix;
use crate::waiting::Waiting;

/// A matrix that is being read.
pub(crate) struct MatrixReading {
    matrix: Matrix,
    reading: LongReading<f32>,
}

impl MatrixReading {
    /// Starts to read a matrix without waiting for it: sends up to `pieces` pieces of it on their way, and subtracts their number.
    /// The others are sent when the matrix is waited for.
    pub fn start(matrix: Matrix, pieces: &mut usize) -> Result<Self> {
        let mut reading = LongReading::new();
        if let Some(buffer) = matrix.storage().gpu() {
            while *pieces > 0 && reading.start_piece(buffer)? {
                *pieces -= 1;
            }
        }
        Ok(MatrixReading { matrix, reading })
    }

    /// Whether the host has the values already, so that there is nothing to wait for.
    pub fn is_here(&self) -> bool {
        self.matrix.storage().cpu().is_some()
    }

    /// Waits for the matrix, and appends its values row by row. On the CPU path there is nothing to wait for.
    pub async fn arrive_into(self, waiting: Waiting, values: &mut Vec<f32>) -> Result<()> {
        if let Some(array) = self.matrix.storage().cpu() {
            append(array, values);
        }
        if let Some(buffer) = self.matrix.storage().gpu() {
            let before = values.len();
            values.resize(before + self.matrix.rows() * self.matrix.cols(), 0.0);
            self.reading.arrive(waiting, buffer, &mut values[before..]).await?;
        }
        Ok(())
    }
}

/// Appends the values of an array row by row.
pub(super) fn append(array: &Array2<f32>, values: &mut Vec<f32>) {
    match array.as_slice() {
        // Copied at once, which is faster than value by value.
        Some(all) => values.extend_from_slice(all),
        None => values.extend(array),
    }
}
