//! A clock that runs on the device.

use std::time::Duration;

use super::buffer::Buffer;
use super::context::Context;
use crate::error::Result;
use crate::waiting::Waiting;

/// A clock: timestamp queries for the beginning and the end of one pass.
pub(crate) struct Clock {
    queries: wgpu::QuerySet,
    /// The pass's number.
    pass: u64,
}

impl Context {
    /// Begins a pass whose time the device takes; `None` where it has no clock.
    pub fn start_clock(&self) -> Option<Clock> {
        let live = self.live.as_ref()?;
        if !live.connection.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let _turn = live.connection.turns.take();
        let queries = live.connection.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("clock"),
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let writes = wgpu::ComputePassTimestampWrites {
            query_set: &queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        };
        let pass = live.recorder().begin_pass(&live.connection.device, Some(writes));
        Some(Clock { queries, pass })
    }

    /// Ends the pass, and records both times into a buffer; `None` where the work took more than one pass.
    pub fn stop_clock(&self, clock: &Clock) -> Result<Option<Buffer>> {
        let Some(live) = &self.live else { return Ok(None) };
        if !live.recorder().is_in_pass(clock.pass) {
            return Ok(None);
        }
        let times = self.buffer("clock", 2, 2)?;
        let _turn = live.connection.turns.take();
        let resolved = live.connection.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("clock"),
            size: times.bytes(),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        self.record(&[], &times.raw().mark, |encoder| {
            encoder.resolve_query_set(&clock.queries, 0..2, &resolved, 0);
            if let Some(target) = times.wgpu() {
                encoder.copy_buffer_to_buffer(&resolved, 0, target, times.offset(), Some(times.bytes()));
            }
        })?;
        Ok(Some(times))
    }

    /// The time between the beginning and the end of the pass; `None` if the clock did not run.
    pub async fn clock_time(&self, waiting: Waiting, times: &Buffer) -> Result<Option<Duration>> {
        let ticks: Vec<u64> = self.read(waiting, times).await?;
        let (Some(live), &[first, last]) = (&self.live, &ticks[..]) else { return Ok(None) };
        let nanoseconds = last.saturating_sub(first) as f64 * f64::from(live.connection.queue.get_timestamp_period());
        Ok((nanoseconds > 0.0).then(|| Duration::from_nanos(nanoseconds as u64)))
    }
}
