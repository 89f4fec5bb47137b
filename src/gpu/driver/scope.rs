//! Error scopes: what wgpu has to say of the calls between their begin and their end.
//!
//! Natively it is said at once. In browsers it is said by a promise, when the page's event loop runs again: then it is kept for the
//! next call that asks, as errors are that wgpu reports by itself.

use super::connection::Connection;
use super::errors::ErrorSlot;
use crate::error::{Error, Result};

/// An open scope, for errors of one kind.
pub(in crate::gpu) struct Scope<'a> {
    guard: wgpu::ErrorScopeGuard,
    #[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "errors are returned at once"))]
    errors: &'a ErrorSlot,
}

impl Connection {
    /// Begins a scope. Scopes end in reverse order, on the thread that began them.
    pub fn begin_scope(&self, filter: wgpu::ErrorFilter) -> Scope<'_> {
        Scope { guard: self.device.push_error_scope(filter), errors: &self.errors }
    }

    /// Begins a scope of internal errors: of shaders that are right and that a compiler fails on.
    #[cfg(not(target_family = "wasm"))]
    pub fn begin_internal_scope(&self) -> Scope<'_> {
        self.begin_scope(wgpu::ErrorFilter::Internal)
    }
}

impl Scope<'_> {
    /// Ends the scope: the error that `describe` makes of what went wrong. In browsers a later call gets it.
    pub fn outcome(self, describe: impl FnOnce(wgpu::Error) -> Error + 'static) -> Result<()> {
        #[cfg(not(target_family = "wasm"))]
        return pollster::block_on(self.guard.pop()).map_or(Ok(()), |source| Err(describe(source)));
        #[cfg(target_family = "wasm")]
        {
            let errors = self.errors.clone();
            self.end(move |source| {
                if let Some(source) = source {
                    errors.keep(describe(source));
                }
            });
            Ok(())
        }
    }

    /// Ends the scope, and tells `told` what went wrong, if anything did. Whether it did, as far as that is known by now.
    pub fn end(self, told: impl FnOnce(Option<wgpu::Error>) + 'static) -> bool {
        // Popped here, also where the answer comes later.
        let answer = self.guard.pop();
        #[cfg(not(target_family = "wasm"))]
        {
            let error = pollster::block_on(answer);
            let failed = error.is_some();
            told(error);
            failed
        }
        #[cfg(target_family = "wasm")]
        {
            wasm_bindgen_futures::spawn_local(async move { told(answer.await) });
            false
        }
    }
}
