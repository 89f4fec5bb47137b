//! Dispatches are recorded into one open compute pass; nothing is waited for until somebody reads.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::answer::Quiet;
use super::bindings::Bindings;
use super::budget;
use super::buffers::Buffer;
use super::context::{Context, Live};
use super::grid::fold;
use super::kernel::{Access, Form, Launch};
use super::mark::{Mark, Written};
use super::pipelines::Pipeline;
use super::staging::{Source, Uploads, Way, copy_up};
use super::turns::Turn;
use super::windows::{Piece, View};
use crate::error::{Error, Result};

/// Dispatches in one submit.
const MAX_DISPATCHES: u32 = 128;
/// Submits in flight before the host waits for the oldest.
const MAX_IN_FLIGHT: usize = 16;
/// Bytes of uploads in flight before the host waits for the oldest: what bounds staging memory.
const MAX_UPLOADS_IN_FLIGHT: u64 = 128 << 20;
/// Bytes of uploads after which what is recorded is handed over, so that the device copies while the host does.
const UPLOADS_A_SUBMIT: u64 = 4 << 20;
/// Uploads up to this length share a staging buffer.
const SMALL_UPLOAD: usize = 1 << 18;

/// An operand where the kernel will see it: where it lies, or in a scratch copy.
enum Placed<'a> {
    Here(Piece<'a>),
    Copied { home: View<'a>, scratch: Buffer },
}

impl Placed<'_> {
    fn piece(&self) -> Piece<'_> {
        match self {
            Placed::Here(piece) => *piece,
            Placed::Copied { scratch, .. } => Piece::of(scratch),
        }
    }
}

/// The open command encoder, its compute pass, and what is in flight.
pub(super) struct Recorder {
    /// Declared before the encoder: a pass must end first.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    /// Passes begun.
    passes: u64,
    /// Dispatches that are recorded, and which recording they are.
    dispatches: u32,
    recording: u64,
    /// What the recording would take a slow GPU.
    nanoseconds: u64,
    pub(super) bindings: Bindings,
    /// What is written.
    written: Written,
    /// Bytes of uploads since the last submit, and the staging buffers that they go through.
    uploads: u64,
    pub(super) staging: Uploads,
    /// Submits so far.
    submits: u64,
    /// Those that may not be done.
    in_flight: VecDeque<InFlight>,
    /// The last that the device took.
    last: Option<wgpu::SubmissionIndex>,
}

struct InFlight {
    /// Which submit it was.
    number: u64,
    index: wgpu::SubmissionIndex,
    /// Bytes of the staging buffers that went with it.
    uploads: u64,
}

/// The recorder, for one thread at a time: nobody is woken before the others may have it.
pub(super) struct Recording<'a> {
    recorder: MutexGuard<'a, Recorder>,
    _turn: Turn,
    _quiet: Quiet,
}

impl Deref for Recording<'_> {
    type Target = Recorder;

    fn deref(&self) -> &Recorder {
        &self.recorder
    }
}

impl DerefMut for Recording<'_> {
    fn deref_mut(&mut self) -> &mut Recorder {
        &mut self.recorder
    }
}

/// Whether more submits than these, or more bytes of uploads, are in flight.
fn too_much(submits: usize, uploads: u64, most_submits: usize, most_uploads: u64) -> bool {
    submits > most_submits || (submits > 1 && uploads > most_uploads)
}

impl Recorder {
    pub fn new(device: &wgpu::Device, limits: &wgpu::Limits) -> Self {
        Recorder {
            pass: None,
            encoder: None,
            passes: 0,
            dispatches: 0,
            recording: 0,
            nanoseconds: 0,
            bindings: Bindings::new(device, limits),
            written: Written::default(),
            uploads: 0,
            staging: Uploads::default(),
            submits: 0,
            in_flight: VecDeque::new(),
            last: None,
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

    /// Begins a pass behind what is open, and gives its number.
    pub(super) fn begin_pass(
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
    pub(super) fn is_in_pass(&self, number: u64) -> bool {
        self.pass.is_some() && self.passes == number
    }

    /// Bytes of uploads in flight.
    fn uploads_in_flight(&self) -> u64 {
        self.in_flight.iter().map(|submit| submit.uploads).sum()
    }

    /// The submit that must be done before no more than half of the bounds is in flight, and its number for
    /// [`Recorder::is_done`].
    pub(super) fn oldest(&self) -> Option<(u64, wgpu::SubmissionIndex)> {
        let (mut submits, mut uploads) = (self.in_flight.len(), self.uploads_in_flight());
        let awaited = self.in_flight.iter().take_while(|submit| {
            let wanted = too_much(submits, uploads, MAX_IN_FLIGHT / 2, MAX_UPLOADS_IN_FLIGHT / 2);
            (submits, uploads) = (submits - 1, uploads - submit.uploads);
            wanted
        });
        awaited.last().map(|submit| (submit.number, submit.index.clone()))
    }

    /// Whether the host is so far ahead that it must wait.
    fn is_ahead(&self) -> bool {
        too_much(self.in_flight.len(), self.uploads_in_flight(), MAX_IN_FLIGHT, MAX_UPLOADS_IN_FLIGHT)
    }

    /// That submit, and all before it, are done.
    pub(super) fn is_done(&mut self, number: u64) {
        while self.in_flight.front().is_some_and(|submit| submit.number <= number) {
            self.in_flight.pop_front();
        }
    }

    fn copy_upload(
        &mut self,
        device: &wgpu::Device,
        (staging, at): (&wgpu::Buffer, u64),
        (target, offset): (&Buffer, u64),
        bytes: u64,
    ) {
        let Some(buffer) = target.wgpu() else { return };
        self.pass = None;
        self.written.add(&target.raw().mark);
        self.encoder(device).copy_buffer_to_buffer(staging, at, buffer, offset, Some(bytes));
    }

    /// Ends the pass and takes the finished commands, if there are any.
    fn finish(&mut self) -> Option<wgpu::CommandBuffer> {
        self.pass = None;
        self.encoder.take().map(wgpu::CommandEncoder::finish)
    }
}

/// One dispatch, as it is recorded.
struct Dispatch<'a> {
    pipeline: &'a Pipeline,
    params: &'a [u8],
    bindings: &'a [Piece<'a>],
    access: &'a [Access],
    grid: (u32, u32),
    /// What it would take a slow GPU.
    nanoseconds: u64,
}

/// Bytes of a dispatch's operands, each counted once: what stands in for an operand that is not there is one of the others.
fn bytes(views: &[View<'_>]) -> u64 {
    let repeated = |index: usize, view: &View<'_>| views[..index].iter().any(|earlier| earlier.same(view));
    let distinct = views.iter().enumerate().filter(|(index, view)| !repeated(*index, view));
    distinct.map(|(_, view)| 4 * view.words()).sum()
}

impl Context {
    /// Records one dispatch.
    pub fn launch<P: bytemuck::NoUninit>(&self, launch: Launch<'_, P>) -> Result<()> {
        self.dispatch(launch, Form::PLAIN)
    }

    /// Records one dispatch of a kernel in this form.
    pub(crate) fn dispatch<P: bytemuck::NoUninit>(&self, launch: Launch<'_, P>, form: Form) -> Result<()> {
        self.dispatch_work(launch, form, 0)
    }

    /// The same, of so many multiply-adds: for kernels that do more than go through their operands.
    pub(crate) fn dispatch_work<P: bytemuck::NoUninit>(
        &self,
        launch: Launch<'_, P>,
        form: Form,
        multiply_adds: u64,
    ) -> Result<()> {
        self.check_device()?;
        let kernel = launch.kernel;
        let grid = fold(kernel.name, launch.groups, self.limits.max_compute_workgroups_per_dimension)?;
        self.or_lost(self.check_operands(&launch))?;
        let placed = self.place_all(&launch)?;
        for copied in &placed {
            self.fetch(copied)?;
        }
        self.counters.dispatches.fetch_add(1, Relaxed);
        let bytes = bytes(launch.buffers);
        self.counters.bytes.fetch_add(bytes, Relaxed);
        let windows = launch.buffers.iter().any(|view| !view.is_whole());
        self.ledger.launch(kernel, form, launch.constants, windows, grid.1 > 1);
        if let Some(live) = &self.live {
            let pipeline = self.pipeline(live, kernel, form, launch.constants)?;
            let bindings: Vec<_> = placed.iter().map(Placed::piece).collect();
            let dispatch = Dispatch {
                pipeline: &pipeline,
                params: bytemuck::bytes_of(&launch.params),
                bindings: &bindings,
                access: kernel.buffers,
                grid,
                nanoseconds: budget::nanoseconds(multiply_adds, bytes),
            };
            self.or_lost(self.record_dispatch(live, &dispatch))?;
        }
        for (copied, access) in placed.iter().zip(kernel.buffers) {
            if *access == Access::Write {
                self.put_back(copied)?;
            }
        }
        Ok(())
    }

    /// Refuses operands that hold no results, and two that are written on the same memory: which of them stayed would be chance.
    fn check_operands<P>(&self, launch: &Launch<'_, P>) -> Result<()> {
        launch.buffers.iter().try_for_each(|view| view.buffer().check_written())?;
        let written = launch.buffers.iter().zip(launch.kernel.buffers).filter(|(_, access)| **access == Access::Write);
        let written: Vec<_> = written.map(|(view, _)| view).collect();
        let meet = |(index, view): (usize, &&View<'_>)| written[..index].iter().any(|other| other.meets(view));
        if written.iter().enumerate().any(meet) {
            let rule = "two operands that it writes share memory of one buffer";
            return Err(Error::Combination { op: launch.kernel.name, rule });
        }
        Ok(())
    }

    /// Where the kernel will see each operand. One that it reads, of a buffer that it also writes, is copied: wgpu lets no
    /// buffer be both.
    fn place_all<'a, P>(&self, launch: &Launch<'a, P>) -> Result<Vec<Placed<'a>>> {
        let uses = || launch.buffers.iter().zip(launch.kernel.buffers);
        let written = |view: &View<'_>| {
            let same = |other: &View<'_>| other.buffer().raw().id == view.buffer().raw().id;
            uses().any(|(other, access)| *access == Access::Write && same(other))
        };
        let place = |(view, access): (&View<'a>, &Access)| match access {
            Access::Read if written(view) => self.place_copy(view),
            _ => self.place(launch.kernel.name, view),
        };
        uses().map(place).collect()
    }

    fn place_copy<'a>(&self, view: &View<'a>) -> Result<Placed<'a>> {
        Ok(Placed::Copied { home: view.clone(), scratch: self.buffer("scratch", view.words() as usize, 1)? })
    }

    /// Binds the view where it lies if it is dense and aligned there, else in a scratch buffer.
    fn place<'a>(&self, op: &'static str, view: &View<'a>) -> Result<Placed<'a>> {
        let (needed, allowed) = (4 * view.words(), self.limits.max_storage_buffer_binding_size);
        if needed > allowed {
            return Err(Error::Limit { op, what: "bytes in one binding", needed, allowed });
        }
        let aligned =
            |piece: &Piece<'_>| piece.offset.is_multiple_of(self.limits.min_storage_buffer_offset_alignment.into());
        match view.piece().filter(aligned) {
            // The padding too: pooled buffers serve other shapes of the same size with the same bind group.
            Some(piece) if view.is_whole() && piece.buffer.whole().is_none() && piece.buffer.is_own() => {
                let bytes = piece.buffer.raw().size.min(allowed) / 4 * 4;
                Ok(Placed::Here(Piece { bytes, ..piece }))
            }
            Some(piece) => Ok(Placed::Here(piece)),
            None => self.place_copy(view),
        }
    }

    fn fetch(&self, placed: &Placed<'_>) -> Result<()> {
        self.each_copy(placed, |home, scratch| self.copy(home, scratch))
    }

    fn put_back(&self, placed: &Placed<'_>) -> Result<()> {
        self.each_copy(placed, |home, scratch| self.copy(scratch, home))
    }

    /// Pairs the runs of a copied view with their places in its scratch buffer.
    fn each_copy(&self, placed: &Placed<'_>, copy: impl Fn(Piece<'_>, Piece<'_>) -> Result<()>) -> Result<()> {
        let Placed::Copied { home, scratch } = placed else { return Ok(()) };
        let mut offset = 0;
        for piece in home.pieces() {
            copy(piece, Piece { buffer: scratch, offset, bytes: piece.bytes })?;
            offset += piece.bytes;
        }
        Ok(())
    }

    /// Records a copy between two buffers.
    pub(super) fn copy(&self, source: Piece<'_>, target: Piece<'_>) -> Result<()> {
        let (Some(from), Some(to)) = (source.buffer.wgpu(), target.buffer.wgpu()) else { return Ok(()) };
        let outcome = self.record(&[source], &target.buffer.raw().mark, |encoder| {
            encoder.copy_buffer_to_buffer(from, source.offset, to, target.offset, Some(source.bytes));
        });
        self.or_lost(outcome)
    }

    /// Records commands outside the compute pass, which read these and write what has the mark.
    pub(super) fn record(
        &self,
        read: &[Piece<'_>],
        written: &Arc<Mark>,
        commands: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let Some(live) = &self.live else { return Ok(()) };
        let mut recorder = live.recorder();
        read.iter().try_for_each(|piece| piece.buffer.check_written())?;
        recorder.pass = None;
        recorder.written.add(written);
        recorder.nanoseconds += budget::nanoseconds(0, 2 * read.iter().map(|piece| piece.bytes).sum::<u64>());
        commands(recorder.encoder(&live.device));
        Ok(())
    }

    /// Hands everything recorded so far to the queue, without waiting for it.
    pub fn flush(&self) -> Result<()> {
        if let Some(live) = &self.live {
            self.submit(live, &mut live.recorder());
            live.catch_up();
        }
        self.check_device()
    }

    /// Hands over everything recorded and waits until the device has done it.
    pub fn wait(&self) -> Result<()> {
        self.flush()?;
        self.poll(None)?;
        self.check()
    }

    /// Hands the commands over; gives their number in the queue, if there were any. Where the device rejects them, all that they
    /// should have written is lost.
    pub(super) fn submit(&self, live: &Live, recorder: &mut Recorder) -> Option<wgpu::SubmissionIndex> {
        recorder.encoder.as_ref()?;
        let scope = live.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let index = recorder.finish().map(|commands| {
            recorder.staging.close();
            recorder.bindings.send(&live.queue);
            live.queue.submit([commands])
        });
        let rejected = pollster::block_on(scope.pop()).map(Arc::new);
        (recorder.dispatches, recorder.nanoseconds) = (0, 0);
        recorder.recording += 1;
        recorder.written.end(rejected.as_ref());
        let uploads = recorder.staging.sent();
        recorder.uploads = 0;
        self.counters.submits.fetch_add(1, Relaxed);
        if let Some(error) = rejected {
            live.errors.reject(error);
            return None;
        }
        recorder.submits += 1;
        let (number, index) = (recorder.submits, index?);
        recorder.in_flight.push_back(InFlight { number, index: index.clone(), uploads });
        recorder.last = Some(index.clone());
        Some(index)
    }

    /// Copies a piece of an upload to staging memory, and records the copy from there.
    pub(super) fn upload_piece(&self, live: &Live, target: &Buffer, offset: u64, piece: Source<'_>) -> Result<()> {
        let bytes = piece.bytes() as u64;
        let mut recorder = match piece.bytes() {
            ..=SMALL_UPLOAD => {
                let (mut recorder, staging, at) = loop {
                    let mut recorder = live.recorder();
                    if let Some((staging, at)) = recorder.staging.room(bytes) {
                        break (recorder, staging, at);
                    }
                    drop(recorder);
                    let staging = self.with_room(|| live.staging(Way::Up, Uploads::size(bytes)))?;
                    live.recorder().staging.put(staging);
                };
                copy_up(&staging, at, piece)?;
                recorder.copy_upload(&live.device, (&staging, at), (target, offset), bytes);
                recorder
            }
            _ => {
                let taken = live.recorder().staging.take(bytes);
                let staging = match taken {
                    Some(staging) => staging,
                    None => self.with_room(|| live.staging(Way::Up, Uploads::size(bytes)))?,
                };
                // Others record meanwhile: this takes as long as a launch or a hundred.
                copy_up(&staging, 0, piece)?;
                let mut recorder = live.recorder();
                staging.unmap();
                recorder.copy_upload(&live.device, (&staging, 0), (target, offset), bytes);
                recorder.staging.fill(staging);
                recorder
            }
        };
        recorder.uploads += bytes;
        if recorder.uploads >= UPLOADS_A_SUBMIT {
            self.submit(live, &mut recorder);
        }
        drop(recorder);
        live.catch_up();
        Ok(())
    }

    /// The bind group of a dispatch. When all slots for parameters are taken, what is recorded goes to the device first, and
    /// all are free.
    fn bind(&self, live: &Live, recorder: &mut Recorder, dispatch: &Dispatch<'_>) -> Result<Option<wgpu::BindGroup>> {
        let Dispatch { pipeline, params, bindings, .. } = dispatch;
        let find = |recorder: &mut Recorder| {
            recorder.bindings.find(&live.device, pipeline, bindings, params, recorder.recording)
        };
        if let Some(group) = find(recorder)? {
            return Ok(Some(group));
        }
        self.submit(live, recorder);
        recorder.bindings.clear();
        find(recorder)
    }

    fn record_dispatch(&self, live: &Live, dispatch: &Dispatch<'_>) -> Result<()> {
        let mut recorder = live.recorder();
        if recorder.dispatches == MAX_DISPATCHES || budget::is_full(recorder.nanoseconds, dispatch.nanoseconds) {
            self.submit(live, &mut recorder);
        }
        let Some(bound) = self.bind(live, &mut recorder, dispatch)? else { return Ok(()) };
        // What was handed over since the operands were looked at may have been rejected.
        dispatch.bindings.iter().try_for_each(|piece| piece.buffer.check_written())?;
        for (piece, access) in dispatch.bindings.iter().zip(dispatch.access) {
            if *access == Access::Write {
                recorder.written.add(&piece.buffer.raw().mark);
            }
        }
        recorder.dispatches += 1;
        recorder.nanoseconds += dispatch.nanoseconds;
        let Some(pass) = recorder.pass(&live.device) else { return Ok(()) };
        pass.set_pipeline(&dispatch.pipeline.pipeline);
        pass.set_bind_group(0, &bound, &[]);
        let (x, y) = dispatch.grid;
        pass.dispatch_workgroups(x, y, 1);
        let ahead = recorder.is_ahead();
        drop(recorder);
        if ahead {
            live.catch_up();
        }
        Ok(())
    }
}

impl Live {
    /// Waits for the oldest submits while too much is in flight, without keeping others from the recorder.
    pub(super) fn catch_up(&self) {
        loop {
            let oldest = {
                let mut recorder = self.recorder();
                let ahead = recorder.is_ahead();
                ahead.then(|| recorder.in_flight.pop_front()).flatten()
            };
            let Some(oldest) = oldest else { return };
            // A failed wait is a lost device, which the next check reports.
            let _ = self.wait_for(Some(&oldest.index));
        }
    }

    /// Waits for a submission, or for everything so far: not for what others hand over meanwhile.
    pub(super) fn wait_for(&self, until: Option<&wgpu::SubmissionIndex>) -> Result<(), wgpu::PollError> {
        let until = until.cloned().or_else(|| self.recorder().last.clone());
        self.turns.wait_for(&self.device, until.as_ref(), || self.errors.is_lost())
    }

    pub(super) fn recorder(&self) -> Recording<'_> {
        let (_quiet, _turn) = (Quiet::begin(), self.turns.take());
        Recording { recorder: self.recorder.lock().unwrap_or_else(PoisonError::into_inner), _turn, _quiet }
    }
}
