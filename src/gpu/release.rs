//! Release: returns buffers that are no longer used to the driver.

use std::sync::Mutex;

use super::context::Inner;
use super::driver::callback::Quiet;
use super::memory::raw::Raw;

impl Drop for Inner {
    /// Frees buffers and device in a turn, since wgpu calls the driver for that.
    fn drop(&mut self) {
        let unchecked = self.pool().take_unchecked();
        let mut idle = self.pool().shrink(0);
        idle.extend(unchecked.into_iter().map(|buffer| buffer.raw));
        idle.extend(self.pool().take_deferred());
        // The recorder's bind groups would keep the buffers alive; contexts with other options share the recorder.
        self.forget_bind_groups(&idle);
        self.release(idle);
        let turn = self.live.as_ref().map(|live| live.connection.turns.take());
        self.pool = Mutex::default();
        self.live = None;
        drop(turn);
    }
}

impl Inner {
    /// Returns buffers to the driver, without the bind groups that would keep them alive.
    pub(super) fn give_back(&self, mut gone: Vec<Raw>) {
        if Quiet::is_held() {
            // wgpu runs the caller's callbacks inside a submit, for which this thread has locked the recorder. If one of them drops
            // a matrix, its buffer goes back together with the next one that is dropped.
            return self.pool().defer(gone);
        }
        gone.extend(self.pool().take_deferred());
        self.forget_bind_groups(&gone);
        self.release(gone);
    }

    /// Frees the bind groups of buffers that are no longer used.
    fn forget_bind_groups(&self, buffers: &[Raw]) {
        if let Some(live) = self.live.as_ref().filter(|_| !buffers.is_empty()) {
            live.recorder().bind_groups.forget(buffers);
        }
    }

    /// Returns buffers to the driver.
    fn release(&self, gone: Vec<Raw>) {
        if !gone.is_empty() {
            let _turn = self.live.as_ref().map(|live| live.connection.turns.take());
            #[cfg(target_family = "wasm")]
            self.destroy(&gone);
            drop(gone);
        }
    }

    /// Destroys a buffer that has no other user. In browsers dropping a handle frees nothing until the garbage is collected, and the
    /// collector does not know how much device memory belongs to a handle.
    #[cfg(target_family = "wasm")]
    fn destroy(&self, gone: &[Raw]) {
        if let Some(live) = &self.live {
            // Recorded commands may use the buffer, and would be rejected if it were destroyed.
            live.recorder().submit(&live.connection, &self.counters);
        }
        for raw in gone.iter().filter(|raw| raw.own) {
            raw.buffer.iter().filter(|buffer| buffer.is_last()).for_each(|buffer| buffer.destroy());
        }
    }
}
