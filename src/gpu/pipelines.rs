//! Pipelines, compiled when first needed and kept.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use super::context::Inner;
use super::kernel::{Access, Constant, Kernel};
use crate::error::{Error, Result};

/// A compiled variant of a kernel.
pub(super) struct Pipeline {
    pub id: u64,
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// A kernel's name and the values of its constants, in the order its op hands them over.
type Key = (&'static str, Vec<u64>);

/// Every variant compiled so far.
#[derive(Default)]
pub(super) struct Pipelines {
    compiled: Mutex<HashMap<Key, Arc<Pipeline>>>,
}

impl Inner {
    /// The pipeline of this variant.
    pub(super) fn pipeline(&self, kernel: &'static Kernel, constants: &[Constant]) -> Result<Arc<Pipeline>> {
        let key = (kernel.name, constants.iter().map(|(_, value)| value.to_bits()).collect());
        // Held while compiling: two threads that need the same variant compile it once.
        let mut compiled = self.pipelines.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = compiled.get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(self.compile(kernel, constants, compiled.len() as u64)?);
        compiled.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    fn compile(&self, kernel: &'static Kernel, constants: &[Constant], id: u64) -> Result<Pipeline> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let module = self.shader_module(kernel, constants);
        let layout = self.bind_group_layout(kernel);
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.name),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let overrides = kernel.override_values(constants);
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &overrides,
                // Every kernel writes its workgroup memory before it reads it. Not even with checks: through GL the
                // fill is one huge assignment, over which Mesa's compiler sits for minutes.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        let internal = pollster::block_on(internal.pop());
        let validation = pollster::block_on(scope.pop());
        if let Some(source) = internal.or(validation) {
            return Err(Error::Shader { kernel: kernel.name, source });
        }
        self.counters.pipelines.fetch_add(1, Relaxed);
        Ok(Pipeline { id, pipeline, layout })
    }

    #[allow(unsafe_code, reason = "the one unsafe call of the crate: shaders without run-time checks")]
    fn shader_module(&self, kernel: &Kernel, constants: &[Constant]) -> wgpu::ShaderModule {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(kernel.wgsl(constants).into()),
        };
        let checks = if self.options.runtime_checks {
            wgpu::ShaderRuntimeChecks::checked()
        } else {
            wgpu::ShaderRuntimeChecks::unchecked()
        };
        // SAFETY: without checks a shader must index in range, end its loops and not divide by zero.
        // Every kernel compares its row and column with the shape in `Params` before it touches a buffer; ops/ checks
        // that shape against the operands, and Context::buffer sizes every buffer for it. Class ids are compared with
        // the number of classes. Loops run over shapes and constants with a step of at least one, and divisors are
        // constants or shapes, which are never zero. tests/gpu_guards.rs runs every case with guarded buffers and
        // with the checks on, and compares the bits.
        unsafe { self.device.create_shader_module_trusted(descriptor, checks) }
    }

    fn bind_group_layout(&self, kernel: &Kernel) -> wgpu::BindGroupLayout {
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: true,
            min_binding_size: wgpu::BufferSize::new(kernel.params as u64),
        };
        let storage = |access: &Access| wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: *access == Access::Read },
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let entries: Vec<_> = std::iter::once(uniform)
            .chain(kernel.buffers.iter().map(storage))
            .zip(0..)
            .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty,
                count: None,
            })
            .collect();
        self.device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(kernel.name), entries: &entries })
    }
}
