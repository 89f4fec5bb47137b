//! Bind groups, each with a slot of its own for a kernel's parameters.
//!
//! A dispatch that is repeated with equal buffers and parameters finds its bind group and its slot again, so nothing is made or
//! sent. Slots have fixed offsets: with a dynamic offset Mesa's lavapipe would copy the whole bind group for each dispatch.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::gpu::driver::connection::Connection;
use crate::gpu::memory::raw::{ByteRange, Raw};

/// The most bytes of a kernel's parameters. Every device can bind 16 KiB.
pub(in crate::gpu) const SLOT_BYTES: usize = 1024;
/// The most bind groups that are kept. A training loop needs a few dozen.
const SLOTS: usize = 1024;

/// The key of a bind group: the pipeline's id, and, for each bound range, the buffer's id, the offset and the length.
type Key = (u64, Vec<(u64, u64, u64)>);

struct Bound {
    group: wgpu::BindGroup,
    slot: usize,
    /// The last recording that used the bind group.
    recording: u64,
}

pub(in crate::gpu) struct BindGroups {
    bound: HashMap<Key, Vec<Bound>>,
    buffer: wgpu::Buffer,
    slot_bytes: usize,
    /// Slots without a bind group, each with the last recording that used it.
    free: Vec<(usize, u64)>,
    /// The parameters in all slots, also those that changed since the last submit.
    params: Vec<u8>,
    changed: Vec<usize>,
}

impl BindGroups {
    pub fn new(device: &wgpu::Device, limits: &wgpu::Limits) -> Self {
        let slot_bytes = slot_bytes(limits);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: Self::bytes(limits),
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let (free, params, changed) = (Vec::new(), Vec::new(), Vec::new());
        BindGroups { bound: HashMap::new(), buffer, slot_bytes, free, params, changed }
    }

    /// The bytes of the buffer that holds all slots.
    pub fn bytes(limits: &wgpu::Limits) -> u64 {
        (slot_bytes(limits) * SLOTS) as u64
    }

    /// Drops the bind groups of these buffers. Their slots can be reused once the current recording has been submitted.
    pub fn forget(&mut self, buffers: &[Raw]) {
        let BindGroups { bound, free, .. } = self;
        bound.retain(|(_, pieces), groups| {
            let keep = !pieces.iter().any(|(id, ..)| buffers.iter().any(|buffer| buffer.id == *id));
            if !keep {
                free.extend(groups.iter().map(|bound| (bound.slot, bound.recording)));
            }
            keep
        });
    }

    /// Frees all slots. This is allowed only right after a submit.
    pub fn clear(&mut self) {
        self.bound.clear();
        self.free.clear();
        self.params.clear();
        self.changed.clear();
    }

    /// The bind group of a dispatch in this recording. It is none if all slots are taken, and an error if the buffers cannot be
    /// bound.
    pub fn find(
        &mut self,
        connection: &Connection,
        (pipeline, layout): (u64, &wgpu::BindGroupLayout),
        pieces: &[ByteRange<'_>],
        params: &[u8],
        recording: u64,
    ) -> Result<Option<wgpu::BindGroup>> {
        let piece = |piece: &ByteRange<'_>| (piece.raw.id, piece.offset, piece.bytes);
        let bound = self.bound.entry((pipeline, pieces.iter().map(piece).collect())).or_default();
        let held = |slot: usize| &self.params[slot * self.slot_bytes..][..params.len()];
        if let Some(bound) = bound.iter_mut().find(|bound| held(bound.slot) == params) {
            bound.recording = recording;
            return Ok(Some(bound.group.clone()));
        }
        // The parameters have changed, so they need a slot that no earlier dispatch of this recording reads.
        let (slot, group) = match bound.iter_mut().find(|bound| bound.recording != recording) {
            Some(bound) => {
                bound.recording = recording;
                (bound.slot, bound.group.clone())
            }
            None => {
                let slot = match self.free.iter().position(|(_, last)| *last != recording) {
                    Some(place) => self.free.swap_remove(place).0,
                    None if self.params.len() == SLOTS * self.slot_bytes => return Ok(None),
                    None => {
                        self.params.resize(self.params.len() + self.slot_bytes, 0);
                        self.params.len() / self.slot_bytes - 1
                    }
                };
                let offset = (slot * self.slot_bytes) as u64;
                let size = wgpu::BufferSize::new(self.slot_bytes as u64);
                let slot_binding = wgpu::BufferBinding { buffer: &self.buffer, offset, size };
                let group =
                    bind_group(connection, layout, slot_binding, pieces).inspect_err(|_| self.free.push((slot, 0)))?;
                bound.push(Bound { group: group.clone(), slot, recording });
                (slot, group)
            }
        };
        self.params[slot * self.slot_bytes..][..params.len()].copy_from_slice(params);
        self.changed.push(slot);
        Ok(Some(group))
    }

    /// Sends the parameters that have changed, ahead of the submit whose dispatches use them.
    pub fn send(&mut self, queue: &wgpu::Queue) {
        self.changed.sort_unstable();
        self.changed.dedup();
        for run in self.changed.chunk_by(|slot, next| slot + 1 == *next) {
            let (start, bytes) = (run[0] * self.slot_bytes, run.len() * self.slot_bytes);
            queue.write_buffer(&self.buffer, start as u64, &self.params[start..start + bytes]);
        }
        self.changed.clear();
    }
}

/// The bytes of a slot: each begins where a binding may begin.
fn slot_bytes(limits: &wgpu::Limits) -> usize {
    (limits.min_uniform_buffer_offset_alignment as usize).max(SLOT_BYTES)
}

/// A bind group of a slot and these ranges, in order.
fn bind_group(
    connection: &Connection,
    layout: &wgpu::BindGroupLayout,
    slot: wgpu::BufferBinding<'_>,
    pieces: &[ByteRange<'_>],
) -> Result<wgpu::BindGroup> {
    // On a live device every range has a buffer.
    let bound = std::iter::once(slot).chain(pieces.iter().filter_map(binding));
    let entries: Vec<_> = (0..)
        .zip(bound)
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(buffer) })
        .collect();
    let scope = connection.begin_scope(wgpu::ErrorFilter::Validation);
    let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
    let group = connection.device.create_bind_group(&descriptor);
    scope.outcome(|source| Error::Device { source }).map(|()| group)
}

/// A range as wgpu binds it; `None` in a dry run, which binds nothing.
fn binding<'a>(piece: &ByteRange<'a>) -> Option<wgpu::BufferBinding<'a>> {
    let size = wgpu::BufferSize::new(piece.bytes);
    piece.raw.wgpu().map(|buffer| wgpu::BufferBinding { buffer, offset: piece.offset, size })
}
