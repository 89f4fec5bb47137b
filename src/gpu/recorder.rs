//! Dispatches are recorded into one open compute pass; nothing is waited for until somebody reads.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::buffers::Buffer;
use super::context::{Context, Inner};
use super::grid::fold;
use super::kernel::Launch;
use super::pipelines::Pipeline;
use crate::error::Result;

/// Dispatches in one submit, which is also the number of parameter slots.
const SLOTS: usize = 128;
/// Submits in flight before the host waits for the oldest: what bounds the memory of queued uploads.
const MAX_IN_FLIGHT: usize = 16;
/// Bind groups kept; a training loop needs a few dozen.
const MAX_BIND_GROUPS: usize = 1024;

/// A pipeline's id and the ids of its buffers.
type Key = (u64, Vec<u64>);

/// The open command encoder, its compute pass, and the parameters of what is recorded.
pub(super) struct Recorder {
    /// Declared before the encoder: a pass must end first.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    slots: wgpu::Buffer,
    slot_bytes: usize,
    params: Vec<u8>,
    bind_groups: HashMap<Key, wgpu::BindGroup>,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
}

impl Recorder {
    pub fn new(device: &wgpu::Device, limits: &wgpu::Limits) -> Self {
        let slot_bytes = (limits.min_uniform_buffer_offset_alignment as usize).max(64);
        let slots = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: (slot_bytes * SLOTS) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Recorder {
            pass: None,
            encoder: None,
            slots,
            slot_bytes,
            params: Vec::with_capacity(slot_bytes * SLOTS),
            bind_groups: HashMap::new(),
            in_flight: VecDeque::new(),
        }
    }

    pub fn forget_bind_groups(&mut self) {
        self.bind_groups.clear();
    }

    /// Puts the parameters into the next slot and says at which offset.
    fn push_params(&mut self, params: &[u8]) -> u32 {
        let offset = self.params.len();
        self.params.extend_from_slice(params);
        self.params.resize(offset + self.slot_bytes, 0);
        offset as u32
    }

    fn encoder(&mut self, device: &wgpu::Device) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    fn pass(&mut self, device: &wgpu::Device) -> &mut wgpu::ComputePass<'static> {
        let pass = match self.pass.take() {
            Some(pass) => pass,
            None => self.encoder(device).begin_compute_pass(&Default::default()).forget_lifetime(),
        };
        self.pass.insert(pass)
    }

    /// Ends the pass and takes the finished commands, if there are any.
    fn finish(&mut self) -> Option<wgpu::CommandBuffer> {
        self.pass = None;
        self.encoder.take().map(wgpu::CommandEncoder::finish)
    }
}

impl Context {
    /// Records one dispatch.
    pub fn launch<P: bytemuck::NoUninit>(&self, launch: Launch<'_, P>) -> Result<()> {
        self.errors.check()?;
        let pipeline = self.pipeline(launch.kernel, launch.constants)?;
        let max = self.limits.max_compute_workgroups_per_dimension;
        let (x, y) = fold(launch.kernel.name, launch.groups, max)?;
        let mut recorder = self.recorder();
        if recorder.params.len() == recorder.slot_bytes * SLOTS {
            self.submit(&mut recorder);
        }
        let offset = recorder.push_params(bytemuck::bytes_of(&launch.params));
        let bind_group = self.bind_group(&mut recorder, &pipeline, launch.buffers);
        let pass = recorder.pass(&self.device);
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &bind_group, &[offset]);
        pass.dispatch_workgroups(x, y, 1);
        self.counters.dispatches.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Records a copy of `source` over `target`, which is at least as long.
    pub(super) fn record_copy(&self, source: &Buffer, target: &Buffer) -> Result<()> {
        self.record(|encoder| {
            encoder.copy_buffer_to_buffer(&source.raw().buffer, 0, &target.raw().buffer, 0, Some(source.bytes()));
        })
    }

    /// Records commands outside the compute pass.
    pub(super) fn record(&self, commands: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<()> {
        self.errors.check()?;
        let mut recorder = self.recorder();
        recorder.pass = None;
        commands(recorder.encoder(&self.device));
        Ok(())
    }

    /// Hands everything recorded so far to the queue, without waiting for it.
    pub fn flush(&self) -> Result<()> {
        self.submit(&mut self.recorder());
        self.errors.check()
    }

    /// Hands over everything recorded and waits until the device has done it.
    pub fn wait(&self) -> Result<()> {
        self.flush()?;
        self.poll(None)?;
        self.errors.check()
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, recorder: &mut Recorder) {
        let Some(commands) = recorder.finish() else { return };
        if !recorder.params.is_empty() {
            self.queue.write_buffer(&recorder.slots, 0, &recorder.params);
            recorder.params.clear();
        }
        let index = self.queue.submit([commands]);
        self.counters.submits.fetch_add(1, Relaxed);
        recorder.in_flight.push_back(index);
        if recorder.in_flight.len() > MAX_IN_FLIGHT {
            let oldest = recorder.in_flight.pop_front();
            // A failed wait is a lost device, which the next check reports.
            let _ = self.device.poll(wgpu::PollType::Wait { submission_index: oldest, timeout: None });
        }
    }

    fn bind_group(&self, recorder: &mut Recorder, pipeline: &Arc<Pipeline>, buffers: &[&Buffer]) -> wgpu::BindGroup {
        let key = (pipeline.id, buffers.iter().map(|buffer| buffer.raw().id).collect());
        if let Some(bind_group) = recorder.bind_groups.get(&key) {
            return bind_group.clone();
        }
        if recorder.bind_groups.len() >= MAX_BIND_GROUPS {
            recorder.bind_groups.clear();
        }
        let bind_group = self.create_bind_group(&recorder.slots, recorder.slot_bytes, pipeline, buffers);
        recorder.bind_groups.insert(key, bind_group.clone());
        bind_group
    }
}

impl Inner {
    fn create_bind_group(
        &self,
        slots: &wgpu::Buffer,
        slot_bytes: usize,
        pipeline: &Pipeline,
        buffers: &[&Buffer],
    ) -> wgpu::BindGroup {
        let params = wgpu::BufferBinding { buffer: slots, offset: 0, size: wgpu::BufferSize::new(slot_bytes as u64) };
        // The whole buffer, padding and guard included: pooled buffers serve other shapes of the same size too.
        let largest = self.limits.max_storage_buffer_binding_size / 4 * 4;
        let entries: Vec<_> = std::iter::once(params)
            .chain(buffers.iter().map(|buffer| wgpu::BufferBinding {
                buffer: &buffer.raw().buffer,
                offset: 0,
                size: wgpu::BufferSize::new(buffer.raw().buffer.size().min(largest)),
            }))
            .zip(0..)
            .map(|(binding, index)| wgpu::BindGroupEntry {
                binding: index,
                resource: wgpu::BindingResource::Buffer(binding),
            })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &entries,
        })
    }
}
