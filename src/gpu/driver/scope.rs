//! Error scopes: they collect wgpu's errors about the calls between their begin and their end.
//!
//! Natively the error is known at once. In browsers it comes from a promise, when the page's event loop runs again. It is then kept
//! for the next call, like the errors that wgpu reports through handlers.

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

    /// Begins a scope of internal errors, in which a compiler fails on a valid shader.
    #[cfg(not(target_family = "wasm"))]
    pub fn begin_internal_scope(&self) -> Scope<'_> {
        self.begin_scope(wgpu::ErrorFilter::Internal)
    }
}

impl Scope<'_> {
    /// Ends the scope, and returns its error as `describe` converts it. In browsers a later call returns the error.
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

    /// Ends the scope, and calls `told` with its error, if there was one. Returns whether an error is known by now.
    pub fn end(self, told: impl FnOnce(Option<wgpu::Error>) + 'static) -> bool {
        // The scope is popped here, also if the answer comes later.
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
