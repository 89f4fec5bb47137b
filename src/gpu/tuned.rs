//! Kernels for products that were measured to be the fastest, by classes of shapes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::options::MatmulKernel;

/// A class of shapes: m, n and k up to these powers of two.
pub(crate) type ShapeClass = [u64; 3];

/// The kernels that tuning found so far.
#[derive(Debug, Default)]
pub(crate) struct Tuned {
    chosen: Mutex<BTreeMap<ShapeClass, MatmulKernel>>,
    /// The candidate whose turn it is while candidates are measured.
    forced: Mutex<Option<MatmulKernel>>,
}

impl Tuned {
    /// The class of products `m x n` over k.
    pub fn class(dims: [usize; 3]) -> ShapeClass {
        dims.map(|dim| (dim as u64).checked_next_power_of_two().unwrap_or(u64::MAX))
    }

    /// The kernel for products `m x n` over k, if they were measured.
    pub fn kernel(&self, dims: [usize; 3]) -> Option<MatmulKernel> {
        let forced = *self.forced.lock().unwrap_or_else(PoisonError::into_inner);
        forced.or_else(|| self.chosen().get(&Self::class(dims)).copied())
    }

    /// Forces this kernel for all products, until it is called again.
    pub fn force(&self, kernel: Option<MatmulKernel>) {
        *self.forced.lock().unwrap_or_else(PoisonError::into_inner) = kernel;
    }

    /// Remembers the kernel that won for a class.
    pub fn choose(&self, class: ShapeClass, kernel: MatmulKernel) {
        self.chosen().insert(class, kernel);
    }

    /// The kernels of all classes that were measured.
    pub fn all(&self) -> BTreeMap<ShapeClass, MatmulKernel> {
        self.chosen().clone()
    }

    fn chosen(&self) -> MutexGuard<'_, BTreeMap<ShapeClass, MatmulKernel>> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
