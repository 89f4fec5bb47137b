//! Missing kernel variants: variants that a device can choose and that no case has launched so far.

use std::collections::BTreeSet;

use super::case::Case;
use crate::device::Device;
use crate::error::Result;
use crate::gpu::{Context, Entries, Variant};

/// The kernel variants that these ops launch in a dry run; none where the device's limits do not allow the ops.
pub(super) fn launched(dry: &Device, run: impl FnOnce(&Device) -> Result<()>) -> Option<Entries> {
    let taken = || dry.context().map(Context::take_entries).unwrap_or_default();
    taken();
    let outcome = run(dry);
    let launched = taken();
    outcome.is_ok().then_some(launched)
}

/// The kernel variants that no case has launched so far.
pub(super) struct MissingVariants {
    names: BTreeSet<String>,
    /// The ops that have cases.
    ops: BTreeSet<&'static str>,
    /// Variants that were missing and have been launched, in the order of their launches.
    pub compiled: Vec<Variant>,
}

impl MissingVariants {
    /// All possible variants, before any case.
    pub fn new(possible: &BTreeSet<String>, cases: &[Case]) -> Self {
        let ops = cases.iter().map(|case| case.op).collect();
        MissingVariants { names: possible.clone(), ops, compiled: Vec::new() }
    }

    /// Removes the launched variants, and says whether one of them was missing.
    pub fn remove(&mut self, launched: Option<Entries>) -> bool {
        let (before, launched) = (self.names.len(), launched.unwrap_or_default());
        let new = launched.compiled.into_iter().filter(|(name, _)| self.names.contains(name));
        self.compiled.extend(new.map(|(_, variant)| variant));
        self.names.retain(|name| !launched.variants.contains(name));
        self.names.len() < before
    }

    /// Whether the case might launch a missing variant in another setting: a variant of its op's kernel, or of a kernel that is not
    /// an op of the cases, or any variant if the case tests several ops.
    pub fn may_be_launched_by(&self, case: &Case) -> bool {
        let of_several = ["dense_backward", "training"].contains(&case.op);
        let kernels = self.names.iter().filter_map(|name| name.split(" [").next());
        let mut wanted = kernels.map(|kernel| kernel == case.op || !self.ops.contains(kernel) || of_several);
        wanted.any(|wanted| wanted)
    }

    /// The names of the variants.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }
}
