//! The buffer of targets that kernels read: class ids, or distributions.

use crate::gpu::{Buffer, Operand};

/// A buffer of targets, and their kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TargetBuffer<'a> {
    /// A class id for each row, as u32.
    Classes(&'a Buffer),
    /// A distribution for each row: the share of each class, as f32.
    Distributions(&'a Buffer),
}

impl<'a> TargetBuffer<'a> {
    pub fn buffer(self) -> &'a Buffer {
        match self {
            TargetBuffer::Classes(buffer) | TargetBuffer::Distributions(buffer) => buffer,
        }
    }

    pub fn are_distributions(self) -> bool {
        matches!(self, TargetBuffer::Distributions(_))
    }

    /// The targets as an operand that follows the rows of a launch.
    pub(super) fn operand(self) -> Operand<'a> {
        match self {
            TargetBuffer::Classes(ids) => Operand::PerRow(ids, 1),
            TargetBuffer::Distributions(shares) => Operand::Matrix(shares),
        }
    }
}
