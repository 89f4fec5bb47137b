//! Devices of ranks: the ranks of one machine take its GPUs in turn.

use super::device::Device;
use crate::distributed::Ranks;
use crate::error::{Error, Result};
use crate::gpu;
use crate::options::GpuOptions;
use crate::waiting::at_once;

impl Device {
    /// Opens the device of a rank. The ranks of a machine take its best hardware GPUs in turn, by [`Ranks::local_rank`]; these
    /// GPUs are of one kind and backend. If there is no GPU, or it cannot be opened, the rank gets the CPU path.
    /// [`GpuOptions::adapter_name`] and [`GpuOptions::adapter_index`] choose another adapter. The log says which rank has which
    /// device.
    ///
    /// # Errors
    /// As [`Device::gpu_with`]. But if no GPU can be opened, this is an error only if an adapter was asked for by name.
    /// [`Ranks::agree`] tells all ranks of an error.
    ///
    /// ```
    /// use wgpu_mlp::distributed::Ranks;
    /// use wgpu_mlp::{Device, GpuOptions};
    /// let ranks = Ranks::alone();
    /// let device = ranks.agree(Device::of_rank(&ranks, &GpuOptions::default()))?;
    /// println!("rank {}: {}", ranks.rank(), device.info());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn of_rank(ranks: &Ranks, options: &GpuOptions) -> Result<Self> {
        let named = options.adapter_name.is_some() || gpu::name_in_environment().is_some();
        let adapter_index = options.adapter_index.or(Some(ranks.local_rank()));
        let device = match at_once(Self::choose(&GpuOptions { adapter_index, ..options.clone() }, named)) {
            Err(error) if !named && !is_of_options(&error) => Self::cpu_because(error.to_string()),
            outcome => outcome?,
        };
        log::info!("rank {} of {}: {}", ranks.rank(), ranks.size(), device.info());
        Ok(device)
    }
}

/// Whether an error is about the options. Otherwise there is no GPU that can be used.
fn is_of_options(error: &Error) -> bool {
    matches!(error, Error::Option { .. } | Error::NoMatrixUnits { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_that_does_not_serve_is_no_error_of_options() {
        let missing = Error::NoAdapter { wanted: "a GPU".into(), found: Vec::new() };
        let weak = Error::Limit { op: "device", what: "threads a workgroup", needed: 256, allowed: 128 };
        assert!(!is_of_options(&missing) && !is_of_options(&weak));
        let units = Error::NoMatrixUnits { adapter: "a GPU".into(), why: "too old" };
        let wrong = Error::Option { op: "device", option: "row_lanes", rule: "1 or 16", value: 3.0 };
        assert!(is_of_options(&units) && is_of_options(&wrong));
    }
}
