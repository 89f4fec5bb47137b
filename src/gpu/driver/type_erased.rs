//! Shared: a cheap handle to what is deep inside.
//!
//! wgpu's types are nested so deep that the compiler, within its limit, does not find a future to be `Send` that holds one of
//! them some calls down. Behind a trait object it need not look.

use std::ops::Deref;
use std::sync::Arc;

/// What can be shared: everything itself.
trait Whole<T>: Send + Sync {
    fn whole(&self) -> &T;
}

impl<T: Send + Sync> Whole<T> for T {
    fn whole(&self) -> &T {
        self
    }
}

/// A value that its clones share.
pub(in crate::gpu) struct Shared<T>(Arc<dyn Whole<T>>);

impl<T: Send + Sync + 'static> Shared<T> {
    pub fn new(value: T) -> Self {
        Shared(Arc::new(value))
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
