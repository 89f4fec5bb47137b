//! Dry runs of all cases on the presets of devices, to find which kernel variants they launch. No real device is needed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::cases;
use super::missing::{MissingVariants, launched};
use super::settings::settings;
use super::sweep::{possible_variants, variants_between};
use crate::device::Device;
use crate::gpu::{Preset, Variant};

/// A preset's device after the sweep.
pub(crate) struct Swept {
    pub preset: Preset,
    /// The names of the variants that it can choose.
    possible: BTreeSet<String>,
    /// The names of the variants that no case has launched.
    missing: BTreeSet<String>,
    /// The variants that cases have launched.
    pub compiled: Vec<Variant>,
}

/// The sweep, which takes some seconds and serves several tests.
pub(crate) static SWEPT: LazyLock<Vec<Swept>> = LazyLock::new(|| {
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
    let all = Preset::ALL.into_iter().zip(possible).zip(missing);
    let swept = |((preset, possible), missing): ((Preset, BTreeSet<String>), MissingVariants)| Swept {
        preset,
        possible,
        missing: missing.names().clone(),
        compiled: missing.compiled,
    };
    all.map(swept).collect()
});

#[test]
fn every_variant_that_a_device_can_choose_has_a_case() {
    for Swept { preset, possible, missing, .. } in SWEPT.iter() {
        let possible = possible.len();
        assert!(possible > 100, "{preset:?} chooses among {possible}");
        assert!(missing.is_empty(), "{preset:?}: {} of {possible}: {missing:#?}", missing.len());
    }
}

#[test]
fn no_shape_has_a_variant_that_the_sweep_does_not_find() {
    for Swept { preset, possible, .. } in SWEPT.iter() {
        let between = variants_between(&Device::dry_as(*preset));
        let unknown: Vec<_> = between.difference(possible).collect();
        assert!(between.len() > 50 && unknown.is_empty(), "{preset:?}: {unknown:#?}");
    }
}
