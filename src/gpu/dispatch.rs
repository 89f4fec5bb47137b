//! Dispatching: records one launch of a kernel, after placing its operands where bindings can begin.

use std::sync::atomic::Ordering::Relaxed;

use super::buffer::Buffer;
use super::context::Context;
use super::encode::budget;
use super::encode::form::{Constant, Form};
use super::encode::grid::fold;
use super::encode::kernel::{Access, Kernel};
use super::encode::recorder::Dispatch;
use super::memory::raw::ByteRange;
use super::view::View;
use crate::error::{Error, Result};

/// A launch: a kernel, the constants that pick its variant, parameters, buffers and the number of workgroups.
pub(crate) struct Launch<'a, P> {
    pub kernel: &'static Kernel,
    pub constants: &'a [Constant],
    pub params: P,
    pub buffers: &'a [View<'a>],
    pub groups: u64,
}

/// An operand as it is bound: in its own buffer, or as a copy in a scratch buffer.
enum Placed<'a> {
    Here(ByteRange<'a>),
    Copied { home: View<'a>, scratch: Buffer },
}

impl Placed<'_> {
    fn range(&self) -> ByteRange<'_> {
        match self {
            Placed::Here(range) => *range,
            Placed::Copied { scratch, .. } => scratch.range(),
        }
    }
}

/// The bytes of a dispatch's operands, each counted once: an operand may be bound a second time as a stand-in for one that the
/// launch does not have.
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

    /// Records one dispatch of so many multiply-adds, for kernels that do more work than one pass over their operands.
    pub(crate) fn dispatch_work<P: bytemuck::NoUninit>(
        &self,
        launch: Launch<'_, P>,
        form: Form,
        multiply_adds: u64,
    ) -> Result<()> {
        self.check_device()?;
        self.dispatch_unchecked(launch, form, multiply_adds)
    }

    /// Records one dispatch, and leaves errors that the device has reported since the last check to a later call. An op that changes
    /// its operands in several dispatches checks the device before the first: in between, an error that another thread has caused
    /// would leave a part of them changed.
    pub(crate) fn dispatch_unchecked<P: bytemuck::NoUninit>(
        &self,
        launch: Launch<'_, P>,
        form: Form,
        multiply_adds: u64,
    ) -> Result<()> {
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
            let variant = (kernel, form, launch.constants);
            let (pipeline, fresh) = live.pipelines.get(&live.connection, variant, self.options.runtime_checks)?;
            self.counters.pipelines.fetch_add(fresh.into(), Relaxed);
            let bindings: Vec<_> = placed.iter().map(Placed::range).collect();
            let dispatch = Dispatch {
                pipeline: &pipeline,
                params: bytemuck::bytes_of(&launch.params),
                bindings: &bindings,
                access: kernel.buffers,
                grid,
                nanoseconds: budget::nanoseconds(self.as_long_as(multiply_adds), bytes),
            };
            let recorded = live.recorder().dispatch(&live.connection, &self.counters, &dispatch);
            if self.or_lost(recorded)? {
                live.catch_up();
            }
        }
        for (copied, access) in placed.iter().zip(kernel.buffers) {
            if *access == Access::Write {
                self.put_back(copied)?;
            }
        }
        Ok(())
    }

    /// Refuses operands whose content was never written, and two written operands that overlap: it would be chance which result
    /// stays.
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

    /// Places all operands where the kernel can see them. If it reads from a buffer that it also writes, the operand is copied,
    /// since wgpu allows one dispatch only one kind of use of a buffer.
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

    /// Binds the view in its own buffer if it is dense and aligned there, else as a copy in a scratch buffer.
    fn place<'a>(&self, op: &'static str, view: &View<'a>) -> Result<Placed<'a>> {
        let (needed, allowed) = (4 * view.words(), self.limits.max_storage_buffer_binding_size);
        if needed > allowed {
            return Err(Error::Limit { op, what: "bytes in one binding", needed, allowed });
        }
        let aligned =
            |range: &ByteRange<'_>| range.offset.is_multiple_of(self.limits.min_storage_buffer_offset_alignment.into());
        let buffer = view.buffer();
        match view.range().filter(aligned) {
            // The padding is bound too, since pooled buffers are reused, with their bind group, for other shapes of this size.
            Some(range) if view.is_whole() && buffer.whole().is_none() && buffer.is_own() => {
                let bytes = range.raw.size.min(allowed) / 4 * 4;
                Ok(Placed::Here(ByteRange { bytes, ..range }))
            }
            Some(range) => Ok(Placed::Here(range)),
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
    fn each_copy(&self, placed: &Placed<'_>, copy: impl Fn(ByteRange<'_>, ByteRange<'_>) -> Result<()>) -> Result<()> {
        let Placed::Copied { home, scratch } = placed else { return Ok(()) };
        let mut offset = 0;
        for range in home.ranges() {
            copy(range, ByteRange { raw: scratch.raw(), offset, bytes: range.bytes })?;
            offset += range.bytes;
        }
        Ok(())
    }
}
