//! Limits: the least that a device must have, and the device's own limits, which options can lower.

use super::encode::bind_groups::{BindGroups, SLOT_BYTES};
use super::grids::LinearGrid;
use super::rows::RowGrid;
use super::tiles::Tile;
use crate::error::{Error, Result};
use crate::options::GpuOptions;

/// The most storage buffers that a kernel binds. A test compares the number with the kernels' declarations.
pub(in crate::gpu) const STORAGE_BUFFERS: u32 = 8;

/// The longest binding that kernels get. Kernels count a binding's words in u32, and drivers count its bytes in i32. Metal allows
/// longer ones.
pub(super) const MAX_BINDING_BYTES: u64 = (1 << 31) - 4;
/// The longest buffer. The host counts a buffer's bytes in usize, which has 32 bits on some targets.
pub(super) const MAX_BUFFER_BYTES: u64 = usize::MAX as u64 / 4 * 4;
/// The smallest binding that options may ask for, since even the smallest reductions need some room.
const MIN_BINDING_BYTES: u64 = 256;

/// Refuses a device on which some kernel would not run.
pub(in crate::gpu) fn check(limits: &wgpu::Limits) -> Result<()> {
    let (threads, memory) = Tile::most();
    let threads = threads.max(LinearGrid::THREADS);
    let needs: [(&str, u64, u64); 9] = [
        ("storage buffers a stage", STORAGE_BUFFERS.into(), limits.max_storage_buffers_per_shader_stage.into()),
        ("uniform buffers a stage", 1, limits.max_uniform_buffers_per_shader_stage.into()),
        ("bindings in a group", u64::from(STORAGE_BUFFERS) + 1, limits.max_bindings_per_bind_group.into()),
        ("bytes in a uniform binding", SLOT_BYTES as u64, limits.max_uniform_buffer_binding_size),
        ("bytes of workgroup memory", memory.into(), limits.max_compute_workgroup_storage_size.into()),
        ("threads a workgroup", threads.into(), limits.max_compute_invocations_per_workgroup.into()),
        ("threads along a workgroup", threads.into(), limits.max_compute_workgroup_size_x.into()),
        // Where a thread has a row to itself, the rows of a workgroup lie along its second side.
        ("threads down a workgroup", RowGrid::MOST_ROWS.into(), limits.max_compute_workgroup_size_y.into()),
        ("workgroups a dimension", 1, limits.max_compute_workgroups_per_dimension.into()),
    ];
    match needs.into_iter().find(|(_, needed, allowed)| needed > allowed) {
        Some((what, needed, allowed)) => Err(Error::Limit { op: "device", what, needed, allowed }),
        None => Ok(()),
    }
}

/// Refuses a device that makes no buffer for the parameters of kernels. Options may lower the limit for all other buffers.
pub(super) fn check_parameters(limits: &wgpu::Limits) -> Result<()> {
    let (needed, allowed) = (BindGroups::bytes(limits), limits.max_buffer_size);
    match needed > allowed {
        true => Err(Error::Limit { op: "device", what: "bytes in one buffer", needed, allowed }),
        false => Ok(()),
    }
}

/// The device's limits, lowered where the caller asked for that.
pub(super) fn lowered(mut limits: wgpu::Limits, options: &GpuOptions) -> Result<wgpu::Limits> {
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    check(&limits)?;
    limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(MAX_BINDING_BYTES);
    // wgpu rounds a buffer up to whole words: the longest must not come out longer than the limit.
    limits.max_buffer_size = limits.max_buffer_size.min(MAX_BUFFER_BYTES) / 4 * 4;
    if let Some(bytes) = options.debug.max_binding_bytes {
        if bytes < alignment.max(MIN_BINDING_BYTES) {
            let rule = "at least 256 and the device's offset alignment";
            return Err(Error::Option { op: "device", option: "max_binding_bytes", rule, value: bytes as f64 });
        }
        limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(bytes);
    }
    if let Some(bytes) = options.debug.max_buffer_bytes {
        limits.max_buffer_size = limits.max_buffer_size.min(bytes);
    }
    // No binding is longer than a buffer, so everything that fits a binding can be allocated.
    let longest = limits.max_buffer_size.max(alignment.max(MIN_BINDING_BYTES));
    limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(longest);
    if let Some(lanes) =
        options.debug.row_lanes.filter(|wanted| !RowGrid::lanes_within(&limits).any(|lanes| lanes == *wanted))
    {
        let rule = "1, 16, 128 or 256; 512 or 1024 where the device has so many threads a workgroup";
        return Err(Error::Option { op: "device", option: "row_lanes", rule, value: lanes.into() });
    }
    if let Some(groups) = options.debug.max_workgroups_per_dimension {
        if groups == 0 {
            let option = "max_workgroups_per_dimension";
            return Err(Error::Option { op: "device", option, rule: "at least 1", value: 0.0 });
        }
        limits.max_compute_workgroups_per_dimension = limits.max_compute_workgroups_per_dimension.min(groups);
    }
    Ok(limits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{MAX_BINDING_BYTES, check, lowered};
    use crate::error::Error;
    use crate::options::GpuOptions;

    #[test]
    fn buffers_are_no_longer_than_host_and_kernels_count() {
        let most = u64::MAX;
        let limits =
            wgpu::Limits { max_buffer_size: most, max_storage_buffer_binding_size: most, ..Default::default() };
        let limits = lowered(limits, &GpuOptions::default()).unwrap();
        assert!(usize::try_from(limits.max_buffer_size).is_ok() && limits.max_buffer_size.is_multiple_of(4));
        assert_eq!(limits.max_storage_buffer_binding_size, MAX_BINDING_BYTES);
        // As wgpu has it for DX12, and for Mesa's drivers.
        let limits = wgpu::Limits { max_buffer_size: (1 << 31) - 1, ..Default::default() };
        assert_eq!(lowered(limits, &GpuOptions::default()).unwrap().max_buffer_size, (1 << 31) - 4);
    }

    #[test]
    fn webgpus_smallest_device_has_all_that_kernels_need() {
        assert!(check(&wgpu::Limits::default()).is_ok());
    }

    #[test]
    fn each_limit_that_a_kernel_needs_is_looked_at() {
        type Lower = fn(&mut wgpu::Limits);
        let lowered: [(&str, Lower); 9] = [
            ("storage buffers a stage", |limits| limits.max_storage_buffers_per_shader_stage = 4),
            ("uniform buffers a stage", |limits| limits.max_uniform_buffers_per_shader_stage = 0),
            ("bindings in a group", |limits| limits.max_bindings_per_bind_group = 8),
            ("bytes in a uniform binding", |limits| limits.max_uniform_buffer_binding_size = 512),
            ("bytes of workgroup memory", |limits| limits.max_compute_workgroup_storage_size = 8 << 10),
            ("threads a workgroup", |limits| limits.max_compute_invocations_per_workgroup = 128),
            ("threads along a workgroup", |limits| limits.max_compute_workgroup_size_x = 128),
            ("threads down a workgroup", |limits| limits.max_compute_workgroup_size_y = 64),
            ("workgroups a dimension", |limits| limits.max_compute_workgroups_per_dimension = 0),
        ];
        for (name, lower) in lowered {
            let mut limits = wgpu::Limits::default();
            lower(&mut limits);
            assert!(matches!(check(&limits), Err(Error::Limit { op: "device", what, .. }) if what == name), "{name}");
        }
    }
}
