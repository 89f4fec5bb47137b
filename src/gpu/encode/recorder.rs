//! The recorder: puts dispatches into one open compute pass and submits them together.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::bind_groups::BindGroups;
use super::budget;
use super::in_flight::InFlight;
use super::kernel::Access;
use super::pipelines::Pipeline;
use super::receipts::{Receipt, Receipts};
use crate::error::Result;
use crate::gpu::counters::AtomicCounters;
#[cfg(target_family = "wasm")]
use crate::gpu::driver::callback::Answer;
use crate::gpu::driver::connection::Connection;
use crate::gpu::memory::mark::{Mark, Written};
use crate::gpu::memory::raw::ByteRange;
use crate::gpu::memory::staging::Uploads;

/// Dispatches in one submit.
const MAX_DISPATCHES: u32 = 128;
/// The bytes of uploads after which the recording is submitted, so that the device copies while the host copies more.
const UPLOADS_A_SUBMIT: u64 = 4 << 20;
/// Commands other than dispatches after which the recording is submitted. Until then each takes host memory, and small uploads take
/// several times their bytes of staging memory, since each is aligned.
const MAX_COMMANDS: u32 = 4096;

/// The recorder: the open command encoder, its compute pass, and the submits in flight.
pub(in crate::gpu) struct Recorder {
    /// Declared before the encoder: a pass must end first.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    /// Passes begun.
    passes: u64,
    /// The number of recorded dispatches, and the number of the recording.
    dispatches: u32,
    recording: u64,
    /// The number of recorded commands that are no dispatches.
    commands: u32,
    /// Time that the recording would take a slow GPU.
    nanoseconds: u64,
    pub bind_groups: BindGroups,
    /// Marks of the buffers that the recording writes.
    written: Written,
    /// Bytes of uploads since the last submit, and the staging buffers that they go through.
    uploads: u64,
    pub staging: Uploads,
    pub in_flight: InFlight,
    /// The receipts, on backends whose drivers do not report work that they have ended.
    receipts: Option<Receipts>,
    /// The submit whose work is left out, for tests.
    left_out: Option<u64>,
}

/// A dispatch as the recorder takes it.
pub(in crate::gpu) struct Dispatch<'a> {
    pub pipeline: &'a Pipeline,
    pub params: &'a [u8],
    pub bindings: &'a [ByteRange<'a>],
    pub access: &'a [Access],
    pub grid: (u32, u32),
    /// Time that it would take a slow GPU.
    pub nanoseconds: u64,
}

impl Recorder {
    pub fn new(connection: &Connection, limits: &wgpu::Limits, left_out: Option<u64>) -> Self {
        let Connection { device, queue, .. } = connection;
        Recorder {
            pass: None,
            encoder: None,
            passes: 0,
            dispatches: 0,
            recording: 0,
            commands: 0,
            nanoseconds: 0,
            bind_groups: BindGroups::new(device, limits),
            written: Written::default(),
            uploads: 0,
            staging: Uploads::new(device.limits().max_buffer_size),
            in_flight: InFlight::default(),
            receipts: connection.needs_receipts.then(|| Receipts::new(device, queue)),
            left_out,
        }
    }

    fn encoder(&mut self, device: &wgpu::Device) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    fn pass(&mut self, device: &wgpu::Device) -> Option<&mut wgpu::ComputePass<'static>> {
        if self.pass.is_none() {
            self.begin_pass(device, None);
        }
        self.pass.as_mut()
    }

    /// Ends the open pass, begins a new one, and returns its number.
    pub fn begin_pass(
        &mut self,
        device: &wgpu::Device,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) -> u64 {
        self.pass = None;
        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
        self.pass = Some(self.encoder(device).begin_compute_pass(&descriptor).forget_lifetime());
        self.passes += 1;
        self.passes
    }

    /// Whether the pass with this number is still open.
    pub fn is_in_pass(&self, number: u64) -> bool {
        self.pass.is_some() && self.passes == number
    }

    /// Records commands outside the compute pass. They read the ranges `read` and write the buffer with the mark `written`.
    pub fn record(
        &mut self,
        device: &wgpu::Device,
        read: &[ByteRange<'_>],
        written: &Arc<Mark>,
        commands: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<()> {
        read.iter().try_for_each(|range| range.raw.mark.check())?;
        self.pass = None;
        self.written.add(written);
        self.commands += 1;
        self.nanoseconds += budget::nanoseconds(0, 2 * read.iter().map(|range| range.bytes).sum::<u64>());
        commands(self.encoder(device));
        Ok(())
    }

    /// Records the writing of a receipt to this place of a staging buffer, if receipts are needed.
    pub fn receipt(&mut self, connection: &Connection, target: (&wgpu::Buffer, u64)) -> Option<Receipt> {
        let Recorder { receipts, pass, encoder, .. } = self;
        let receipts = receipts.as_mut()?;
        *pass = None;
        let Connection { device, queue, .. } = connection;
        let encoder = encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()));
        Some(receipts.write(queue, encoder, target))
    }

    /// Records the copy of a filled piece of staging memory.
    pub fn copy_upload(&mut self, device: &wgpu::Device, (staging, at): (&wgpu::Buffer, u64), target: ByteRange<'_>) {
        let Some(buffer) = target.raw.wgpu() else { return };
        self.pass = None;
        self.written.add(&target.raw.mark);
        self.encoder(device).copy_buffer_to_buffer(staging, at, buffer, target.offset, Some(target.bytes));
        self.commands += 1;
        self.uploads += target.bytes;
    }

    /// Whether the recording has so many uploads that the device should begin to copy, or so many commands that it should be
    /// submitted.
    pub fn is_long(&self) -> bool {
        self.uploads >= UPLOADS_A_SUBMIT || self.commands >= MAX_COMMANDS
    }

    /// Records a dispatch, and returns whether the host is now so far ahead that it must wait.
    pub fn dispatch(
        &mut self,
        connection: &Connection,
        counters: &AtomicCounters,
        dispatch: &Dispatch<'_>,
    ) -> Result<bool> {
        if self.dispatches == MAX_DISPATCHES || budget::is_full(self.nanoseconds, dispatch.nanoseconds) {
            self.submit(connection, counters);
        }
        let Some(bound) = self.bind(connection, counters, dispatch)? else { return Ok(false) };
        // A submit may have been rejected after the operands were checked.
        dispatch.bindings.iter().try_for_each(|range| range.raw.mark.check())?;
        for (range, access) in dispatch.bindings.iter().zip(dispatch.access) {
            if *access == Access::Write {
                self.written.add(&range.raw.mark);
            }
        }
        self.dispatches += 1;
        self.nanoseconds += dispatch.nanoseconds;
        let Some(pass) = self.pass(&connection.device) else { return Ok(false) };
        pass.set_pipeline(&dispatch.pipeline.pipeline);
        pass.set_bind_group(0, &bound, &[]);
        let (x, y) = dispatch.grid;
        pass.dispatch_workgroups(x, y, 1);
        Ok(self.in_flight.is_ahead())
    }

    /// The bind group of a dispatch. If all slots for parameters are taken, the recording is submitted first, which frees all slots.
    fn bind(
        &mut self,
        connection: &Connection,
        counters: &AtomicCounters,
        dispatch: &Dispatch<'_>,
    ) -> Result<Option<wgpu::BindGroup>> {
        let Dispatch { pipeline, params, bindings, .. } = dispatch;
        let find = |recorder: &mut Recorder| {
            let layout = (pipeline.id, &pipeline.layout);
            recorder.bind_groups.find(connection, layout, bindings, params, recorder.recording)
        };
        if let Some(group) = find(self)? {
            return Ok(Some(group));
        }
        self.submit(connection, counters);
        self.bind_groups.clear();
        find(self)
    }

    /// Submits the commands, and returns their number in the queue, if there were any. If the device rejects them, the content of
    /// all buffers that they should have written counts as lost.
    pub fn submit(&mut self, connection: &Connection, counters: &AtomicCounters) -> Option<wgpu::SubmissionIndex> {
        self.encoder.as_ref()?;
        let scope = connection.begin_scope(wgpu::ErrorFilter::Validation);
        let index = self.finish().map(|commands| {
            self.staging.close();
            self.bind_groups.send(&connection.queue);
            let is_left_out = self.left_out == Some(self.recording + 1);
            connection.queue.submit((!is_left_out).then_some(commands))
        });
        (self.dispatches, self.commands, self.nanoseconds) = (0, 0, 0);
        self.recording += 1;
        let (ended, errors) = (self.written.end(), connection.errors.clone());
        #[cfg(target_family = "wasm")]
        self.in_flight.is_done(connection.poller.done());
        let rejected = scope.end(move |error| {
            let error = error.map(Arc::new);
            ended.answered(error.as_ref());
            error.into_iter().for_each(|error| errors.reject(error));
        });
        if let Some(receipts) = self.receipts.as_mut().filter(|_| rejected) {
            receipts.take_back();
        }
        let uploads = self.staging.sent();
        self.uploads = 0;
        counters.submits.fetch_add(1, Relaxed);
        let index = index.filter(|_| !rejected)?;
        let number = self.in_flight.add(index.clone(), uploads);
        #[cfg(target_family = "wasm")]
        connection.poller.submitted(&connection.queue, number);
        #[cfg(not(target_family = "wasm"))]
        let _ = number;
        Some(index)
    }

    /// An answer that comes when the browser has accepted or rejected the recording that writes the buffer with this mark, and all
    /// earlier ones.
    #[cfg(target_family = "wasm")]
    pub fn heard_of(&self, mark: &Mark) -> Answer<()> {
        self.written.heard_of(mark)
    }

    /// Whether the browser has reported all submits as done.
    #[cfg(target_family = "wasm")]
    pub fn is_idle(&mut self, connection: &Connection) -> bool {
        self.in_flight.is_done(connection.poller.done());
        self.in_flight.is_empty()
    }

    /// Ends the pass and takes the finished commands, if there are any.
    fn finish(&mut self) -> Option<wgpu::CommandBuffer> {
        self.pass = None;
        let mut encoder = self.encoder.take()?;
        if let Some(receipts) = &mut self.receipts {
            receipts.pass_on(&mut encoder);
        }
        Some(encoder.finish())
    }
}
