//! The page's library, which its worker calls, with plain objects and typed arrays on the JavaScript side.
//!
//! A call that waits returns a promise. An error is a JavaScript `Error` whose message is a sentence. Its `name` is
//! `DeviceLost` if the device is lost, `NoAdapter` if there is no GPU, `Refused` if the input was wrong, and `Failed`
//! otherwise. All input is checked. A panic would be a mistake in this library or the crate: its message is passed to the
//! function that [`on_panic`] was given, and the module cannot be used afterwards.

mod device;
mod digits;
mod js;
mod parity;
mod session;
mod speed;
mod spiral;
mod task;
mod until;
mod warp;

use std::cell::RefCell;
use std::panic;

use js_sys::Function;
use wasm_bindgen::prelude::*;

pub use session::Session;

thread_local! {
    static PANIC: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Calls this function with the message of a panic, before the module stops.
#[wasm_bindgen(js_name = onPanic)]
pub fn on_panic(tell: Function) {
    PANIC.with(|kept| *kept.borrow_mut() = Some(tell));
    panic::set_hook(Box::new(|about| {
        let message = JsValue::from_str(&about.to_string());
        PANIC.with(|kept| {
            if let Ok(Some(tell)) = kept.try_borrow().as_deref() {
                // If this call fails, there is no way left to report it.
                tell.call1(&JsValue::UNDEFINED, &message).ok();
            }
        });
    }));
}
