//! Pipelines, compiled when first needed and kept.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::cache::Cache;
use super::context::{Context, Live};
use super::kernel::{Access, Constant, Form, Kernel};
use super::ledger::Variant;
use crate::cores::cores;
use crate::error::{Error, Result};

/// More threads than this would hardly find something to compile.
const MOST_THREADS: usize = 8;

/// A compiled variant of a kernel.
pub(super) struct Pipeline {
    pub id: u64,
    kernel: &'static Kernel,
    form: Form,
    constants: Vec<Constant>,
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// A kernel's program, its form, and the values of its constants, in the order its op hands them over.
type Key = (usize, Form, Vec<u64>);

/// Kernels of the same text are one program: ops share what they have in common.
#[derive(Default)]
struct Programs {
    /// By the kernel's address.
    known: HashMap<usize, usize>,
    by_text: HashMap<(&'static str, Option<&'static str>), usize>,
}

impl Programs {
    fn number(&mut self, kernel: &'static Kernel) -> usize {
        let next = self.by_text.len();
        let number = || *self.by_text.entry(kernel.program()).or_insert(next);
        *self.known.entry(std::ptr::from_ref(kernel).addr()).or_insert_with(number)
    }
}

/// A variant, or the room for one that somebody compiles.
type Place = Arc<Mutex<Option<Arc<Pipeline>>>>;

/// Every variant compiled so far.
#[derive(Default)]
pub(super) struct Pipelines {
    known: Mutex<(Programs, HashMap<Key, Place>)>,
    /// The number of the next.
    next: AtomicU64,
}

impl Pipelines {
    fn place(&self, kernel: &'static Kernel, form: Form, constants: &[Constant]) -> Place {
        let mut guard = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (programs, known) = &mut *guard;
        let constant_bits = constants.iter().map(|(_, value)| value.to_bits()).collect();
        known.entry((programs.number(kernel), form, constant_bits)).or_default().clone()
    }

    /// Whether nobody has compiled it, or is about to.
    fn lacks(&self, Variant { kernel, form, constants }: &Variant) -> bool {
        self.place(kernel, *form, constants).try_lock().is_ok_and(|place| place.is_none())
    }
}

impl Context {
    /// The pipeline of this variant.
    pub(super) fn pipeline(
        &self,
        live: &Live,
        kernel: &'static Kernel,
        form: Form,
        constants: &[Constant],
    ) -> Result<Arc<Pipeline>> {
        let place = live.pipelines.place(kernel, form, constants);
        // Held while compiling: two threads that need the same variant compile it once, and keep nobody from others.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = &*place {
            return Ok(pipeline.clone());
        }
        let start = Instant::now();
        let id = live.pipelines.next.fetch_add(1, Relaxed);
        let pipeline = live.compile(kernel, form, constants, self.options.runtime_checks, id);
        match &pipeline {
            Ok(_) => log::debug!(
                "kernel {} {:?} {constants:?}: compiled in {:.0?}",
                kernel.name,
                form.names(),
                start.elapsed()
            ),
            Err(error) => log::error!("{error}"),
        }
        let pipeline = pipeline?;
        self.counters.pipelines.fetch_add(1, Relaxed);
        live.cache.iter().for_each(Cache::note);
        Ok(place.insert(Arc::new(pipeline)).clone())
    }

    /// Whether the driver may compile on several threads at a time.
    pub fn compiles_at_once(&self) -> bool {
        self.live.as_ref().is_some_and(|live| !live.turns.are_taken())
    }

    /// Compiles what is about to be launched and is not there yet, on several threads; nothing where the driver serves one at a
    /// time. Where that fails, the launch tries again, and tells.
    pub fn compile_ahead(&self, variants: impl IntoIterator<Item = Variant>) {
        let Some(live) = self.live.as_ref().filter(|_| self.compiles_at_once()) else { return };
        let missing: Vec<_> = variants.into_iter().filter(|variant| live.pipelines.lacks(variant)).collect();
        if missing.len() < 2 {
            return;
        }
        let threads = cores().min(MOST_THREADS).min(missing.len());
        let left = Mutex::new(missing.into_iter());
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let compile = || {
            while let Some(Variant { kernel, form, constants }) = next() {
                let _ = self.pipeline(live, kernel, form, &constants);
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                // If the system refuses a thread, the others do its share.
                let _ = thread::Builder::new().spawn_scoped(scope, compile);
            }
            compile();
        });
    }

    /// Every variant compiled so far, in the order of their names: the kernel's name, its constants, and its WGSL with these
    /// in place.
    pub fn compiled(&self) -> Vec<(&'static str, Vec<&'static str>, Vec<Constant>, String)> {
        let Some(live) = &self.live else { return Vec::new() };
        let guard = live.pipelines.known.lock().unwrap_or_else(PoisonError::into_inner);
        let places: Vec<Place> = guard.1.values().cloned().collect();
        drop(guard);
        let made = |place: &Place| place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut compiled: Vec<_> = places.iter().filter_map(made).collect();
        compiled.sort_by_key(|pipeline| (pipeline.kernel.name, pipeline.id));
        let source = |pipeline: &Arc<Pipeline>| {
            let wgsl = pipeline.kernel.resolved_wgsl(pipeline.form, &pipeline.constants);
            (pipeline.kernel.name, pipeline.form.names(), pipeline.constants.clone(), wgsl)
        };
        compiled.iter().map(source).collect()
    }
}

impl Live {
    fn compile(
        &self,
        kernel: &'static Kernel,
        form: Form,
        constants: &[Constant],
        checked: bool,
        id: u64,
    ) -> Result<Pipeline> {
        let _turn = self.turns.take();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let module = self.shader_module(kernel, form, constants, checked);
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
            cache: self.cache.as_ref().map(|cache| &cache.pipelines),
        });
        let internal = pollster::block_on(internal.pop());
        let validation = pollster::block_on(scope.pop());
        if let Some(source) = internal.or(validation) {
            return Err(Error::Shader { kernel: kernel.name, source });
        }
        Ok(Pipeline { id, kernel, form, constants: constants.to_vec(), pipeline, layout })
    }

    #[allow(unsafe_code, reason = "shaders without run-time checks")]
    fn shader_module(&self, kernel: &Kernel, form: Form, constants: &[Constant], checked: bool) -> wgpu::ShaderModule {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(kernel.wgsl(form, constants).into()),
        };
        let checks =
            if checked { wgpu::ShaderRuntimeChecks::checked() } else { wgpu::ShaderRuntimeChecks::unchecked() };
        // SAFETY: without checks a shader must index in range, end its loops and not divide by zero.
        // Every kernel compares its row and column with the shape in `Params` before it touches a buffer; ops/ checks
        // that shape against the operands, and Context::buffer sizes every buffer for it. Class ids are compared with
        // the number of classes. Segments of parameters end where the parameters do, or later. Loops run over shapes and constants with a step of at least one, and divisors are
        // constants or shapes, which are never zero. tests/gpu_forced/guards.rs runs every case with guarded buffers and
        // with the checks on, and compares the bits.
        unsafe { self.device.create_shader_module_trusted(descriptor, checks) }
    }

    fn bind_group_layout(&self, kernel: &Kernel) -> wgpu::BindGroupLayout {
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: wgpu::BufferSize::new(kernel.params as u64),
        };
        self.layout(kernel.name, std::iter::once(uniform).chain(kernel.buffers.iter().map(storage)))
    }

    fn layout(&self, label: &str, types: impl Iterator<Item = wgpu::BindingType>) -> wgpu::BindGroupLayout {
        let visibility = wgpu::ShaderStages::COMPUTE;
        let entry = |(binding, ty)| wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None };
        let entries: Vec<_> = (0..).zip(types).map(entry).collect();
        self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries })
    }
}

fn storage(access: &Access) -> wgpu::BindingType {
    wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only: *access == Access::Read },
        has_dynamic_offset: false,
        min_binding_size: None,
    }
}
