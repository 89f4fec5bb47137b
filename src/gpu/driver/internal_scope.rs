//! The error scope of internal errors in browsers: the browser's compiler or the driver fails on a valid shader.
//!
//! wgpu 30 panics over every internal error, so the scope calls the browser directly, without wgpu.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::connection::Connection;
use super::errors::ErrorSlot;
use crate::error::{Error, Result};

/// An open scope; without a device where wgpu has another backend.
pub(in crate::gpu) struct InternalScope<'a> {
    device: Option<JsValue>,
    errors: &'a ErrorSlot,
}

impl Connection {
    /// Begins a scope of internal errors. Scopes end in reverse order.
    pub fn begin_internal_scope(&self) -> InternalScope<'_> {
        #[cfg(feature = "web")]
        let device = self.device.as_webgpu().map(|device| device.clone().into());
        #[cfg(not(feature = "web"))]
        let device = None;
        let begun = |device: &JsValue| method(device, "pushErrorScope")?.call1(device, &"internal".into()).ok();
        InternalScope { device: device.filter(|device| begun(device).is_some()), errors: &self.errors }
    }
}

impl InternalScope<'_> {
    /// Ends the scope. If it has an error, a later call returns it, converted by `describe`.
    pub fn outcome(self, describe: impl FnOnce(wgpu::Error) -> Error + 'static) -> Result<()> {
        let Some(device) = self.device else { return Ok(()) };
        let answer = method(&device, "popErrorScope").and_then(|pop| pop.call0(&device).ok());
        let Some(answer) = answer.and_then(|answer| answer.dyn_into::<Promise>().ok()) else { return Ok(()) };
        let errors = self.errors.clone();
        spawn_local(async move {
            let error = JsFuture::from(answer).await.ok().filter(|error| !error.is_null() && !error.is_undefined());
            let Some(error) = error else { return };
            let message = Reflect::get(&error, &"message".into()).ok().and_then(|message| message.as_string());
            let description = message.unwrap_or_else(|| "no reason given".into());
            errors.keep(describe(wgpu::Error::Internal { source: description.clone().into(), description }));
        });
        Ok(())
    }
}

fn method(of: &JsValue, name: &str) -> Option<Function> {
    Reflect::get(of, &name.into()).ok()?.dyn_into().ok()
}
