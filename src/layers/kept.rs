//! Values that a layer keeps from its forward pass for its backward pass.

use crate::error::{Error, Result};

/// The value that the forward pass kept, or an error that names the layer.
pub(super) fn kept<'a, T>(layer: &'static str, value: &'a Option<T>) -> Result<&'a T> {
    value.as_ref().ok_or(Error::NoForward { layer })
}
