//! Release: buffers that nobody uses any more go back to the driver.

use std::sync::Mutex;

use super::context::Inner;
use super::memory::raw::Raw;

impl Drop for Inner {
    /// Frees buffers and device in a turn, since wgpu calls the driver for that.
    fn drop(&mut self) {
        let idle = self.pool().shrink(0);
        // The recorder, which contexts with other options share, would keep them.
        self.forget_bind_groups(&idle);
        self.release(idle);
        let turn = self.live.as_ref().map(|live| live.connection.turns.take());
        self.pool = Mutex::default();
        self.live = None;
        drop(turn);
    }
}

impl Inner {
    /// Frees the bind groups of buffers that nobody uses any more.
    pub(super) fn forget_bind_groups(&self, buffers: &[Raw]) {
        if let Some(live) = self.live.as_ref().filter(|_| !buffers.is_empty()) {
            live.recorder().bind_groups.forget(buffers);
        }
    }

    /// Hands buffers back to the driver.
    pub(super) fn release(&self, gone: Vec<Raw>) {
        if !gone.is_empty() {
            let _turn = self.live.as_ref().map(|live| live.connection.turns.take());
            #[cfg(target_family = "wasm")]
            self.destroy(&gone);
            drop(gone);
        }
    }

    /// Destroys what nobody else has. In browsers dropping a handle frees nothing before the garbage is collected, and the
    /// collector does not know how much device memory a handle stands for.
    #[cfg(target_family = "wasm")]
    fn destroy(&self, gone: &[Raw]) {
        if let Some(live) = &self.live {
            // What is recorded may use it, and would be rejected.
            live.recorder().submit(&live.connection, &self.counters);
        }
        for raw in gone.iter().filter(|raw| raw.own) {
            raw.buffer.iter().filter(|buffer| buffer.is_last()).for_each(|buffer| buffer.destroy());
        }
    }
}
