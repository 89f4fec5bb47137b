//! The GPU path: all code that uses wgpu. It has the context, buffers, pipelines and the recorder, and it cuts work into pieces
//! that a device can handle.
//!
//! The rest of the crate sees [`Context`], [`Buffer`] and [`Kernel`], and knows nothing of bind groups or encoders.

mod allocate;
pub(crate) mod bank;
mod blocks;
mod buffer;
mod choice;
mod clock;
mod context;
mod counters;
#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic, reason = "tests")]
mod declarations;
mod dispatch;
mod driver;
mod element_launch;
mod encode;
mod grids;
mod guards;
pub(crate) mod kernels;
mod limits;
mod memory;
mod open;
mod operand;
#[cfg(test)]
mod presets;
mod read;
mod read_each;
mod release;
mod row_launch;
mod rows;
#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic, reason = "tests")]
mod spirv;
mod staged;
mod tiles;
mod transfers;
#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic, reason = "tests")]
mod translated;
mod tuned;
mod units;
mod view;
mod waits;

pub(crate) use blocks::{Split, runs};
pub(crate) use buffer::Buffer;
pub(crate) use context::Context;
pub use counters::Counters;
pub(crate) use dispatch::Launch;
pub(crate) use driver::adapter::{choices, name_in_environment};
pub(crate) use element_launch::ElementLaunch;
pub(crate) use encode::form::{Constant, Form};
pub(crate) use encode::kernel::{Access, Kernel};
pub(crate) use encode::ledger::{Entries, Variant};
pub(crate) use grids::{ColumnGrid, LinearGrid, NormGrid};
pub(crate) use operand::Operand;
#[cfg(test)]
pub(crate) use presets::Preset;
pub(crate) use read::{LongReading, Reading};
pub(crate) use row_launch::{RowLaunch, RowSplit, Window};
pub(crate) use rows::RowGrid;
pub(crate) use staged::Staged;
pub(crate) use tiles::{Tile, TileOperands};
pub(crate) use tuned::{ShapeClass, Tuned};
pub(crate) use view::View;
