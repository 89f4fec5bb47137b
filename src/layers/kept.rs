//! Values that a layer keeps from its forward pass for later calls.

use crate::error::{Error, Result};

/// The value that the forward pass kept, or an error that names the layer and the call that needs it.
pub(super) fn kept<'a, T>(layer: &'static str, call: &'static str, value: &'a Option<T>) -> Result<&'a T> {
    value.as_ref().ok_or(Error::NoForward { layer, call })
}
