//! Compiling: from a kernel's variant to wgpu's pipeline.

use std::sync::{Mutex, PoisonError};

use super::form::{Constant, Form};
use super::kernel::{Access, Kernel};
use crate::error::{Error, Result};
use crate::gpu::driver::connection::Connection;

/// The lock for a compiler that serves one thread at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The pipeline of a kernel's variant, and the layout of its bind groups.
pub(super) fn compile(
    connection: &Connection,
    kernel: &'static Kernel,
    form: Form,
    constants: &[Constant],
    checked: bool,
) -> Result<(wgpu::ComputePipeline, wgpu::BindGroupLayout)> {
    let _alone = connection.compiles_alone.then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    let _turn = connection.turns.take();
    let device = &connection.device;
    let scope = connection.begin_scope(wgpu::ErrorFilter::Validation);
    let internal = connection.begin_internal_scope();
    let module = shader_module(device, kernel, form, constants, checked);
    let layout = bind_group_layout(device, kernel);
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(kernel.name),
        bind_group_layouts: &[Some(&layout)],
        ..Default::default()
    });
    let overrides = kernel.override_values(constants);
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel.name),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &overrides,
            // Every kernel writes its workgroup memory before it reads it, so it need not be zeroed, not even with
            // checks: on GL the zeroing is one huge assignment, which takes Mesa's compiler minutes.
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
    });
    let describe = |source| Error::Shader { kernel: kernel.name, source };
    let internal = internal.outcome(describe);
    let validation = scope.outcome(describe);
    internal.and(validation).map(|()| (pipeline, layout))
}

#[allow(unsafe_code, reason = "shaders without run-time checks")]
fn shader_module(
    device: &wgpu::Device,
    kernel: &Kernel,
    form: Form,
    constants: &[Constant],
    checked: bool,
) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: wgpu::ShaderSource::Wgsl(kernel.wgsl(form, constants).into()),
    };
    let checks = if checked { wgpu::ShaderRuntimeChecks::checked() } else { wgpu::ShaderRuntimeChecks::unchecked() };
    // SAFETY: without checks a shader must index in range, end its loops and not divide by zero. Every kernel compares its row and
    // column with the shape in `Params` before it touches a buffer; ops/ checks that shape against the operands, and
    // Context::buffer sizes every buffer for it. Class ids are compared with the number of classes. Ranges of parameters end where
    // the parameters do, or later. Loops run over shapes and constants with a step of at least one, and divisors are constants or
    // shapes, which are never zero. The tests of guards run every case with guarded buffers and with the checks on, and compare
    // the bits.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}

fn bind_group_layout(device: &wgpu::Device, kernel: &Kernel) -> wgpu::BindGroupLayout {
    let uniform = wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Uniform,
        has_dynamic_offset: false,
        min_binding_size: wgpu::BufferSize::new(kernel.params as u64),
    };
    let types = std::iter::once(uniform).chain(kernel.buffers.iter().map(storage));
    let visibility = wgpu::ShaderStages::COMPUTE;
    let entry = |(binding, ty)| wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None };
    let entries: Vec<_> = (0..).zip(types).map(entry).collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(kernel.name), entries: &entries })
}

fn storage(access: &Access) -> wgpu::BindingType {
    wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only: *access == Access::Read },
        has_dynamic_offset: false,
        min_binding_size: None,
    }
}
