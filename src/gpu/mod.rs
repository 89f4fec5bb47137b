//! Everything that names wgpu: the context, its buffers, pipelines and recorder, and how work is cut to size.
//!
//! The rest of the crate sees [`Context`], [`Buffer`] and [`Kernel`], and knows nothing of bind groups or encoders.

mod adapter;
mod answer;
mod bindings;
mod budget;
mod buffers;
mod cache;
mod clock;
mod context;
#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic, reason = "tests")]
mod declarations;
mod ending;
mod errors;
mod grid;
mod kernel;
pub(crate) mod kernels;
mod ledger;
mod mark;
mod needs;
mod pipelines;
mod poller;
mod read;
mod recorder;
mod rows;
mod shared;
#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic, reason = "tests")]
mod spirv;
mod staging;
mod templates;
mod tiles;
mod tuned;
mod turns;
mod units;
mod windows;

pub(crate) use adapter::choices;
pub(crate) use buffers::{Buffer, PART_WORDS};
pub(crate) use context::Context;
pub use context::Counters;
#[cfg(test)]
pub(crate) use context::Preset;
pub(crate) use kernel::{Access, Constant, Form, Kernel, Launch};
pub(crate) use ledger::{Entries, Variant};
pub(crate) use read::Reading;
pub(crate) use rows::{ColumnGrid, LinearGrid, NormGrid, PackBlocks, PackGrid, PlainGrid, RowGrid};
pub(crate) use tiles::{Method, Panel, ProductSplit, Tile};
pub(crate) use tuned::{ShapeClass, Tuned};
pub(crate) use units::{Halves, LargestGrid};
pub(crate) use windows::{ElementLaunch, Operand, RowLaunch, RowSplit, Split, View, Window, runs};
