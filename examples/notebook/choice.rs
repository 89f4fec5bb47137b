//! The devices of `--device auto`.

use wgpu_mlp::{Device, Error, Result};

/// The CPU path, and behind it the GPU or software driver, if it could be opened. If it could not, the reason is returned too. As
/// with [`Device::auto`], it is an error if an adapter is asked for by name and there is none of this name.
pub(crate) fn of_auto(gpu: Result<Device>, by_name: bool) -> Result<(Vec<Device>, Option<Error>)> {
    match gpu {
        Ok(gpu) => Ok((vec![Device::cpu(), gpu], None)),
        Err(error @ Error::NoAdapter { .. }) if by_name => Err(error),
        Err(error) => Ok((vec![Device::cpu()], Some(error))),
    }
}
