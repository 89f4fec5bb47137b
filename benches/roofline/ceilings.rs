//! The highest measured rates of the adapter: multiply-adds in registers, and a copy from buffer to buffer.

use std::error::Error;
use std::time::Instant;

use wgpu_mlp::{DeviceInfo, DeviceKind, wgpu};

use crate::timing::median;

/// The least time of a sample, so long that the latency of the wait does not matter.
const SAMPLE_SECONDS: f64 = 0.025;
/// Lanes of the multiply-add loop, enough for the largest GPU.
const LANES: u32 = 256 * 1024;
const WORKGROUP: u32 = 64;
/// Multiply-adds of vec4 in the loop's body, whatever the number of chains, and in a kernel without a loop: wgpu adds a
/// counter to every loop, which takes registers, and GPUs cache little code, so neither form is the best on all devices.
const BODY: u32 = 96;
const STRAIGHT: u32 = 1536;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A wgpu device of the bench's own, on the adapter that the crate chose.
#[derive(Clone)]
pub(crate) struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    software: bool,
}

/// The two roofs.
pub(crate) struct Ceilings {
    pub(crate) multiply_add: Probe,
    pub(crate) copy: Probe,
}

/// A kernel that reaches one roof, and the rates that it reached so far.
pub(crate) struct Probe {
    /// The shape with the best rate.
    pub(crate) shape: String,
    /// Every shape tried, with its rate.
    pub(crate) tried: Vec<(String, f64)>,
    gpu: Gpu,
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    groups: u32,
    /// FLOP or bytes of a dispatch.
    work: f64,
    /// Dispatches in a sample.
    dispatches: u32,
    /// Rates in FLOP/s or bytes/s.
    samples: Vec<f64>,
}

impl Gpu {
    /// Opens the adapter that `info` describes.
    pub(crate) fn open(info: &DeviceInfo) -> Result<Gpu> {
        let descriptor = wgpu::InstanceDescriptor::new_without_display_handle().with_env();
        let backends = descriptor.backends;
        let adapters = pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends));
        let same = |adapter: &wgpu::Adapter| {
            let found = adapter.get_info();
            found.name == info.name && found.backend.to_string() == info.backend
        };
        let adapter = adapters.into_iter().find(same).ok_or("the crate's adapter was not found a second time")?;
        let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
        Ok(Gpu { device, queue, software: info.kind == DeviceKind::SoftwareDriver })
    }

    fn pipeline(&self, source: String, constants: &[(&str, f64)]) -> wgpu::ComputePipeline {
        let source = wgpu::ShaderSource::Wgsl(source.into());
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
            cache: None,
        })
    }

    fn buffer(&self, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let usage = usage | wgpu::BufferUsages::COPY_DST;
        self.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    }

    fn bind(&self, pipeline: &wgpu::ComputePipeline, buffers: [&wgpu::Buffer; 2]) -> wgpu::BindGroup {
        let bound = (0..).zip(buffers.map(wgpu::Buffer::as_entire_binding));
        let entries: Vec<_> = bound.map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let layout = &pipeline.get_bind_group_layout(0);
        self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
    }
}

impl Ceilings {
    /// Tries several shapes of each kernel and keeps the best; the copy's buffers have so many bytes.
    pub(crate) fn measure(gpu: &Gpu, copy_bytes: u64) -> Result<Ceilings> {
        let mut multiply_adds: Vec<_> = [2, 3, 4, 8, 12, 16].map(|chains| multiply_add(gpu, chains, true)).into();
        multiply_adds.extend([2, 3, 4, 6].map(|chains| multiply_add(gpu, chains, false)));
        Ok(Ceilings { multiply_add: best(multiply_adds)?, copy: best(copies(gpu, copy_bytes)?)? })
    }

    /// One more sample of both.
    pub(crate) fn sample(&mut self) -> Result<()> {
        self.multiply_add.sample()?;
        self.copy.sample()
    }

    /// How many samples there are of each.
    pub(crate) fn samples(&self) -> usize {
        self.copy.samples.len()
    }
}

impl Probe {
    fn new(gpu: &Gpu, shape: String, pipeline: wgpu::ComputePipeline, bind_group: wgpu::BindGroup) -> Probe {
        let (gpu, tried, samples) = (gpu.clone(), Vec::new(), Vec::new());
        Probe { shape, tried, gpu, pipeline, bind_group, groups: 1, work: 0.0, dispatches: 1, samples }
    }

    /// The median rate.
    pub(crate) fn rate(&self) -> f64 {
        median(&self.samples)
    }

    /// The median rate of the samples from this one on.
    pub(crate) fn rate_since(&self, sample: usize) -> f64 {
        median(&self.samples[sample..])
    }

    /// The lowest and the highest rate.
    pub(crate) fn range(&self) -> (f64, f64) {
        let fold = |pick: fn(f64, f64) -> f64| self.samples.iter().copied().reduce(pick).unwrap_or(f64::NAN);
        (fold(f64::min), fold(f64::max))
    }

    fn sample(&mut self) -> Result<()> {
        let seconds = self.seconds(self.dispatches)?;
        self.samples.push(self.work * f64::from(self.dispatches) / seconds);
        Ok(())
    }

    /// Enough dispatches for the least time of a sample; the first ones only warm up.
    fn calibrate(&mut self) -> Result<()> {
        self.seconds(1)?;
        let dispatches = (SAMPLE_SECONDS / self.seconds(1)?).ceil();
        self.dispatches = dispatches.clamp(1.0, 1000.0) as u32;
        Ok(())
    }

    fn seconds(&self, dispatches: u32) -> Result<f64> {
        let start = Instant::now();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        for _ in 0..dispatches {
            pass.dispatch_workgroups(self.groups, 1, 1);
        }
        drop(pass);
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// The probe with the highest median of a few samples.
fn best(mut probes: Vec<Probe>) -> Result<Probe> {
    for probe in &mut probes {
        probe.calibrate()?;
    }
    // The shapes take turns, so that a short disturbance of the machine does not affect only one of them.
    for _ in 0..9 {
        probes.iter_mut().try_for_each(Probe::sample)?;
    }
    let tried = probes.iter().map(|probe| (probe.shape.clone(), probe.rate())).collect();
    let best = probes.into_iter().max_by(|a, b| a.rate().total_cmp(&b.rate())).ok_or("nothing to measure")?;
    Ok(Probe { tried, ..best })
}

/// Independent chains x = x * factor + term of vec4 in registers.
fn multiply_add(gpu: &Gpu, chains: u32, looped: bool) -> Probe {
    // A software driver would take seconds for work that a GPU does in a millisecond.
    let iterations: u32 = if gpu.software { STRAIGHT / BODY } else { 1024 };
    let steps = if looped { BODY * iterations } else { STRAIGHT };
    let pipeline = gpu.pipeline(multiply_add_wgsl(chains, looped), &[("LANES", WORKGROUP.into())]);
    let params = gpu.buffer(16, wgpu::BufferUsages::UNIFORM);
    // These come from the host, so that no compiler can compute the chains in advance. They tend to
    // term / (1 - factor) = 1.
    let words = [0.99f32.to_bits(), 0.01f32.to_bits(), iterations, 0].map(u32::to_le_bytes);
    gpu.queue.write_buffer(&params, 0, words.as_flattened());
    let results = gpu.buffer(u64::from(LANES) * 16, wgpu::BufferUsages::STORAGE);
    let bind_group = gpu.bind(&pipeline, [&params, &results]);
    let flop = 8.0 * f64::from(steps) * f64::from(LANES);
    let shape = format!("{chains} chains of vec4 {}", if looped { "in a loop" } else { "without a loop" });
    Probe { groups: LANES / WORKGROUP, work: flop, ..Probe::new(gpu, shape, pipeline, bind_group) }
}

fn multiply_add_wgsl(chains: u32, looped: bool) -> String {
    let lines = |line: &dyn Fn(u32) -> String, count| (0..count).map(line).collect::<String>();
    let starts = lines(&|chain| format!("  var x{chain} = start + {chain}.0;\n"), chains);
    let body = lines(
        &|step| format!("    x{0} = fma(x{0}, factor, term);\n", step % chains),
        if looped { BODY } else { STRAIGHT },
    );
    let repeat = if looped { "for (var i = 0u; i < params.iterations; i++) " } else { "" };
    let sum = lines(&|chain| format!(" + x{chain}"), chains);
    format!(
        "override LANES: u32;
struct Params {{ factor: f32, term: f32, iterations: u32 }}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> results: array<vec4f>;
@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let factor = vec4f(params.factor);
  let term = vec4f(params.term);
  // Another number in each lane and component: what they share could be computed once for all.
  let start = vec4f(0.0, 0.25, 0.5, 0.75) + f32(id.x % 1024u) / 1024.0;
{starts}  {repeat}{{
{body}  }}
  results[id.x] = vec4f(){sum};
}}"
    )
}

/// Copies of one buffer to another, an element or a few a lane.
fn copies(gpu: &Gpu, bytes: u64) -> Result<Vec<Probe>> {
    let bytes = bytes.min(gpu.device.limits().max_storage_buffer_binding_size);
    // A power of two, so that every shape divides it.
    let bytes = 1u64 << bytes.ilog2();
    let [source, target] = [(); 2].map(|()| gpu.buffer(bytes, wgpu::BufferUsages::STORAGE));
    fill(gpu, &source, bytes);
    const SHAPES: [(u32, u32); 7] = [(64, 4), (64, 16), (128, 4), (256, 1), (256, 4), (256, 8), (256, 16)];
    let mut probes = Vec::new();
    for (element, size) in [("vec4<f32>", 16), ("f32", 4)] {
        for (lanes, per_lane) in SHAPES {
            let groups = u32::try_from(bytes / size / u64::from(lanes * per_lane))?;
            if groups > gpu.device.limits().max_compute_workgroups_per_dimension {
                continue;
            }
            let source_text = format!("alias Element = {element};\n{}", include_str!("copy.wgsl"));
            let pipeline = gpu.pipeline(source_text, &[("LANES", lanes.into()), ("PER_LANE", per_lane.into())]);
            let bind_group = gpu.bind(&pipeline, [&source, &target]);
            let shape = format!("{element}, {per_lane} a lane, {lanes} lanes");
            let work = 2.0 * bytes as f64;
            probes.push(Probe { groups, work, ..Probe::new(gpu, shape, pipeline, bind_group) });
        }
    }
    Ok(probes)
}

/// Ordinary numbers are written, because the system may not have allocated memory that was never written.
fn fill(gpu: &Gpu, buffer: &wgpu::Buffer, bytes: u64) {
    const PIECE: u64 = 1 << 20;
    let piece: Vec<u8> = (0..PIECE / 4).flat_map(|i| (1.0 + i as f32).to_le_bytes()).collect();
    for offset in (0..bytes).step_by(PIECE as usize) {
        gpu.queue.write_buffer(buffer, offset, &piece[..PIECE.min(bytes - offset) as usize]);
        // This keeps the host from holding all of it in memory at once.
        gpu.queue.submit([]);
    }
}
