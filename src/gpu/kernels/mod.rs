//! The kernels of the ops, one file an op and of its name: declaration, parameters, buffers in between, launches.
//!
//! A file here knows buffers and shapes, and returns buffers. The op of the same name in `ops/` has the contract and the
//! checks, and hands over what its matrices and targets hold.

mod clip_scale;
mod dense_backward;
pub(crate) mod update;

pub(crate) use clip_scale::clip_scale;
pub(crate) use dense_backward::dense_backward;

/// The kernels of this folder.
#[cfg(test)]
pub(crate) fn all() -> Vec<&'static super::Kernel> {
    let several = [&clip_scale::KERNELS[..], &update::KERNELS];
    [&dense_backward::KERNEL].into_iter().chain(several.concat()).collect()
}
