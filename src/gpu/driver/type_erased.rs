//! Shared values behind a trait object.
//!
//! wgpu's types are nested so deeply that the compiler reaches its recursion limit before it can prove that a future with such a
//! value is `Send`. It does not look inside a trait object.

use std::ops::Deref;
use std::sync::Arc;

/// A value that can be reached through the trait object.
trait Whole<T>: Send + Sync {
    fn whole(&self) -> &T;
}

impl<T: Send + Sync> Whole<T> for T {
    fn whole(&self) -> &T {
        self
    }
}

/// A value that clones of the handle share.
pub(in crate::gpu) struct Shared<T>(Arc<dyn Whole<T>>);

impl<T: Send + Sync + 'static> Shared<T> {
    pub fn new(value: T) -> Self {
        Shared(Arc::new(value))
    }

    /// Whether this is the only handle.
    #[cfg(target_family = "wasm")]
    pub fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Whether both are the same value.
    pub fn same(&self, other: &Self) -> bool {
        std::ptr::eq::<T>(&**self, &**other)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(self.0.clone())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        (*self.0).whole()
    }
}
