//! Operands of launches that work block by block.

use std::ops::Range;

use super::blocks::{Block, Split};
use super::buffer::Buffer;
use super::view::View;

/// An operand of a launch, and how its views follow the blocks.
#[derive(Clone, Debug)]
pub(crate) enum Operand<'a> {
    /// An operand of the shape of the matrix that is cut, `rows x cols`.
    Matrix(&'a Buffer),
    /// An operand with so many words for each row.
    PerRow(&'a Buffer, usize),
    /// An operand with so many words for each workgroup.
    PerGroup(&'a Buffer, usize),
    /// An operand that every block sees as a whole.
    Fixed(View<'a>),
}

/// The views that a launch over this block binds.
pub(super) fn views<'a>(operands: &[Operand<'a>], split: &Split, block: &Block, groups: Range<usize>) -> Vec<View<'a>> {
    operands.iter().map(|operand| operand.view(split, block, groups.clone())).collect()
}

impl<'a> Operand<'a> {
    fn view(&self, split: &Split, block: &Block, groups: Range<usize>) -> View<'a> {
        match self {
            Operand::Matrix(buffer) => View::of(buffer, split.cols, block.rows.clone(), block.cols.clone()),
            Operand::PerRow(buffer, words) => View::of(buffer, *words, block.rows.clone(), 0..*words),
            Operand::PerGroup(buffer, words) => View::of(buffer, *words, groups, 0..*words),
            Operand::Fixed(view) => view.clone(),
        }
    }
}
