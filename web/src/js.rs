//! Conversions of values between Rust and JavaScript.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;
use wgpu_mlp::Error;

/// The result of a call: a value, or a JavaScript `Error`.
pub type Answer<T = JsValue> = Result<T, JsValue>;

/// An object with these fields.
pub fn object<const N: usize>(fields: [(&str, JsValue); N]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a field of a new object cannot fail.
        Reflect::set(&object, &JsValue::from_str(name), &value).ok();
    }
    object.into()
}

/// The crate's error as a JavaScript `Error`.
pub fn failed(error: Error) -> JsValue {
    let name = match error {
        Error::DeviceLost { .. } => "DeviceLost",
        Error::NoAdapter { .. } => "NoAdapter",
        _ => "Failed",
    };
    named(name, &error.to_string())
}

/// The error for an invalid input, with a sentence that says why.
pub fn refused(sentence: &str) -> JsValue {
    named("Refused", sentence)
}

fn named(name: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    error.set_name(name);
    error.into()
}

/// The fields of an object from JavaScript.
pub struct Fields<'a>(pub &'a JsValue);

impl Fields<'_> {
    /// A whole number from 1 to `most`.
    pub fn count(&self, name: &str, most: u32) -> Answer<usize> {
        whole(self.get(name)?, most).ok_or_else(|| refused(&format!("{name} must be a whole number from 1 to {most}")))
    }

    /// A finite number above 0; if `zero` is true, 0 is allowed too.
    pub fn number(&self, name: &str, zero: bool) -> Answer<f64> {
        let value =
            self.get(name)?.as_f64().filter(|value| value.is_finite() && (*value > 0.0 || zero && *value == 0.0));
        let rule = if zero { "0 or more" } else { "above 0" };
        value.ok_or_else(|| refused(&format!("{name} must be a number {rule}")))
    }

    /// A text.
    pub fn text(&self, name: &str) -> Answer<String> {
        self.get(name)?.as_string().ok_or_else(|| refused(&format!("{name} must be a text")))
    }

    /// A list of at most `length` whole numbers from 1 to `most`.
    pub fn counts(&self, name: &str, length: usize, most: u32) -> Answer<Vec<usize>> {
        let rule = || refused(&format!("{name} must be at most {length} whole numbers from 1 to {most}"));
        let list = self.get(name)?.dyn_into::<Array>().map_err(|_| rule())?;
        let counts = list.iter().map(|value| whole(value, most)).collect::<Option<Vec<_>>>();
        counts.filter(|counts| counts.len() <= length).ok_or_else(rule)
    }

    fn get(&self, name: &str) -> Answer {
        Reflect::get(self.0, &JsValue::from_str(name)).map_err(|_| refused("options must be an object"))
    }
}

fn whole(value: JsValue, most: u32) -> Option<usize> {
    let value = value.as_f64().filter(|value| value.fract() == 0.0 && (1.0..=f64::from(most)).contains(value))?;
    Some(value as usize)
}
