//! Kernels that only software drivers run. Their products use no workgroup memory, since its barriers cost these drivers more than
//! they save.
//!
//! `benches/software.md` compares the measured time of each with that of tiles through workgroup memory.

pub(super) mod dense_backward;
pub(super) mod direct;
pub(super) mod pack;
pub(super) mod panel;
pub(super) mod plain;

pub(crate) use dense_backward::dense_backward;
pub(super) use direct::Direct;
pub(super) use pack::{PackKernels, packs};
pub(super) use panel::Panel;
