//! The ledger of a dry run: a list of the buffers and kernels that were requested, without a device.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::form::{Constant, Form};
use super::kernel::Kernel;

/// A buffer that was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BufferEntry {
    pub op: &'static str,
    pub rows: usize,
    pub cols: usize,
    /// The bytes of the buffer, with padding.
    pub bytes: u64,
}

/// A variant: a kernel with its form and its constants.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub kernel: &'static Kernel,
    pub form: Form,
    pub constants: Vec<Constant>,
}

/// The entries of a dry run, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    pub buffers: Vec<BufferEntry>,
    /// The kernels that were launched.
    pub launches: Vec<&'static str>,
    /// The names of their variants, and of the ways in which these were launched.
    pub variants: BTreeSet<String>,
    /// Each variant with its name, as it was first launched.
    pub compiled: Vec<(String, Variant)>,
}

impl Entries {
    /// Adds the buffers that another run has more often than this one.
    pub fn add_missing(&mut self, other: Entries) {
        let mut own = self.buffers.clone();
        for buffer in other.buffers {
            match own.iter().position(|known| *known == buffer) {
                Some(place) => drop(own.swap_remove(place)),
                None => self.buffers.push(buffer),
            }
        }
    }
}

/// The ledger of a context without a device; other contexts keep none.
pub(in crate::gpu) struct Ledger(Option<Mutex<Entries>>);

impl Ledger {
    pub fn new(keep: bool) -> Self {
        Ledger(keep.then(Mutex::default))
    }

    pub fn buffer(&self, op: &'static str, rows: usize, cols: usize, bytes: u64) {
        self.note(|entries| entries.buffers.push(BufferEntry { op, rows, cols, bytes }));
    }

    pub fn launch(&self, kernel: &'static Kernel, form: Form, constants: &[Constant], windows: bool, folded: bool) {
        self.note(|entries| {
            entries.launches.push(kernel.name);
            let form_names = form.names().join(", ");
            let numbers: String = constants.iter().map(|(name, value)| format!(" {name} {value}")).collect();
            let name = format!("{} [{form_names}]{numbers}", kernel.name);
            if entries.variants.insert(name.clone()) {
                entries.compiled.push((name, Variant { kernel, form, constants: constants.to_vec() }));
            }
            let way = [(windows, "windows"), (folded, "a folded grid")];
            let ways = way.into_iter().filter(|(set, _)| *set);
            entries.variants.extend(ways.map(|(_, way)| format!("{} [{form_names}] in {way}", kernel.name)));
        });
    }

    /// Takes the entries made since the last call.
    pub fn take(&self) -> Entries {
        let mut taken = Entries::default();
        self.note(|entries| taken = std::mem::take(entries));
        taken
    }

    fn note(&self, change: impl FnOnce(&mut Entries)) {
        if let Some(entries) = &self.0 {
            change(&mut entries.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
