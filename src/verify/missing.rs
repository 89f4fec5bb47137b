//! Missing kernel variants: those that a device can choose and no case has launched.

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

    /// Whether the case might launch a missing variant in another setting: one of the kernel of its op, one of a kernel that
    /// is no op of the cases, or any where the case is of several ops.
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::gpu::Preset;
    use crate::verify::cases;
    use crate::verify::settings::settings;
    use crate::verify::sweep::possible_variants;

    #[test]
    fn every_variant_that_a_device_can_choose_has_a_case() {
        let devices = Preset::ALL.map(Device::dry_as);
        let settings: Vec<_> = devices.iter().map(|device| settings(device).unwrap()).collect();
        let cases = cases();
        let possible: Vec<_> = devices.iter().map(possible_variants).collect();
        let mut missing: Vec<_> = possible.iter().map(|possible| MissingVariants::new(possible, &cases)).collect();
        for case in &cases {
            let wanted = |missing: &MissingVariants| missing.may_be_launched_by(case);
            // Most of the time goes into inputs and dry runs.
            if !missing.iter().any(wanted) {
                continue;
            }
            let inputs = case.inputs(0);
            let run = |dry: &Device| case.run(dry, &inputs).map(drop);
            for ((device, settings), missing) in devices.iter().zip(&settings).zip(&mut missing) {
                if !wanted(missing) {
                    continue;
                }
                missing.remove(launched(device, run));
                for setting in settings.iter().filter(|setting| setting.suits(case, &inputs)) {
                    if missing.may_be_launched_by(case) {
                        missing.remove(launched(&setting.dry, run));
                    }
                }
            }
        }
        for ((preset, possible), missing) in Preset::ALL.iter().zip(&possible).zip(&missing) {
            let names = missing.names();
            assert!(possible.len() > 100, "{preset:?} chooses among {possible:?}");
            assert!(names.is_empty(), "{preset:?}: {} of {}: {names:#?}", names.len(), possible.len());
        }
    }
}
