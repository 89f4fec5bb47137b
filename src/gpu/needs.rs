//! What every device must have: the most that any kernel asks for, whatever its shape.

use super::bindings::SLOT_BYTES;
use super::rows::LinearGrid;
use super::tiles::Tile;
use crate::error::{Error, Result};

/// Storage buffers of the kernel that binds the most; a test holds it to the kernels' declarations.
pub(super) const STORAGE_BUFFERS: u32 = 8;

/// Refuses a device on which some kernel would not run.
pub(super) fn check(limits: &wgpu::Limits) -> Result<()> {
    let (threads, memory) = Tile::most();
    let threads = threads.max(LinearGrid::THREADS);
    let needs: [(&str, u64, u64); 8] = [
        ("storage buffers a stage", STORAGE_BUFFERS.into(), limits.max_storage_buffers_per_shader_stage.into()),
        ("uniform buffers a stage", 1, limits.max_uniform_buffers_per_shader_stage.into()),
        ("bindings in a group", u64::from(STORAGE_BUFFERS) + 1, limits.max_bindings_per_bind_group.into()),
        ("bytes in a uniform binding", SLOT_BYTES as u64, limits.max_uniform_buffer_binding_size),
        ("bytes of workgroup memory", memory.into(), limits.max_compute_workgroup_storage_size.into()),
        ("threads a workgroup", threads.into(), limits.max_compute_invocations_per_workgroup.into()),
        ("threads along a workgroup", threads.into(), limits.max_compute_workgroup_size_x.into()),
        ("workgroups a dimension", 1, limits.max_compute_workgroups_per_dimension.into()),
    ];
    match needs.into_iter().find(|(_, needed, allowed)| needed > allowed) {
        Some((what, needed, allowed)) => Err(Error::Limit { op: "device", what, needed, allowed }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::error::Error;

    #[test]
    fn webgpus_smallest_device_has_all_that_kernels_need() {
        assert!(check(&wgpu::Limits::default()).is_ok());
    }

    #[test]
    fn each_limit_that_a_kernel_needs_is_looked_at() {
        type Lower = fn(&mut wgpu::Limits);
        let lowered: [(&str, Lower); 8] = [
            ("storage buffers a stage", |limits| limits.max_storage_buffers_per_shader_stage = 4),
            ("uniform buffers a stage", |limits| limits.max_uniform_buffers_per_shader_stage = 0),
            ("bindings in a group", |limits| limits.max_bindings_per_bind_group = 8),
            ("bytes in a uniform binding", |limits| limits.max_uniform_buffer_binding_size = 512),
            ("bytes of workgroup memory", |limits| limits.max_compute_workgroup_storage_size = 8 << 10),
            ("threads a workgroup", |limits| limits.max_compute_invocations_per_workgroup = 128),
            ("threads along a workgroup", |limits| limits.max_compute_workgroup_size_x = 128),
            ("workgroups a dimension", |limits| limits.max_compute_workgroups_per_dimension = 0),
        ];
        for (name, lower) in lowered {
            let mut limits = wgpu::Limits::default();
            lower(&mut limits);
            assert!(matches!(check(&limits), Err(Error::Limit { op: "device", what, .. }) if what == name), "{name}");
        }
    }
}
