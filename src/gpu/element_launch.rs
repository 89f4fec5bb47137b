//! Launches of elementwise kernels over matrices of any size.

use super::blocks::{Block, Split};
use super::context::Context;
use super::dispatch::Launch;
use super::encode::form::{Constant, Form};
use super::encode::kernel::Kernel;
use super::grids::LinearGrid;
use super::operand::{Operand, views};
use crate::error::Result;

/// A launch of an elementwise kernel over a matrix of any size.
pub(crate) struct ElementLaunch<'a> {
    pub kernel: &'static Kernel,
    pub constants: &'a [Constant],
    pub operands: &'a [Operand<'a>],
}

impl Context {
    /// Whether kernels that work on rows use the mappings for hardware.
    fn rows_by_hardware(&self) -> bool {
        !self.traits.software || self.options.debug.row_lanes.is_some()
    }

    /// Records an elementwise kernel, block by block. It works by fours if the words of every block allow it. `params` makes the
    /// parameters from the block and from the width of a value.
    pub fn launch_elements<P: bytemuck::NoUninit>(
        &self,
        split: Split,
        launch: &ElementLaunch<'_>,
        params: impl Fn(&Block, u32) -> P,
    ) -> Result<()> {
        // Software drivers have their own fours, or none.
        let forms = launch.kernel.forms;
        let suits = forms.longs || self.rows_by_hardware();
        let fours = forms.fours && suits && split.blocks().all(|block| block.words().is_multiple_of(4));
        let (form, width) = match fours {
            true => (if forms.longs { self.fours() } else { Form::FOURS }, 4),
            false => (Form::PLAIN, 1),
        };
        for block in split.blocks() {
            let dispatch = Launch {
                kernel: launch.kernel,
                constants: launch.constants,
                params: params(&block, width),
                buffers: &views(launch.operands, &split, &block, 0..0),
                groups: LinearGrid::groups((block.words() / width).into()),
            };
            self.dispatch(dispatch, form)?;
        }
        Ok(())
    }
}
