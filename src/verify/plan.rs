//! The plan of a verification: which cases run in which settings.

use std::collections::BTreeSet;

use super::case::Case;
use super::missing::{MissingVariants, launched};
use super::options::Options;
use super::settings::Setting;
use crate::device::Device;
use crate::waiting::{Waiting, at_once, give_way};

/// The plan: the cases in their order, and the settings of each. The settings of a case depend on the variants that the cases
/// before it launch; dry runs find these variants. All settings are fixed before the first case runs, so the order in which threads
/// run the cases does not matter.
pub(super) struct Plan<'a> {
    pub jobs: Vec<Job<'a>>,
    /// The variants that no job launches.
    pub missing: MissingVariants,
    pub seed: u64,
}

/// A case to run, on the device as it is and in further settings.
pub(super) struct Job<'a> {
    /// The index among all jobs.
    pub index: usize,
    pub case: &'a Case,
    pub settings: Vec<&'a Setting>,
}

impl<'a> Plan<'a> {
    /// Plans the cases for a device and its settings.
    pub async fn new(
        waiting: Waiting,
        device: &Device,
        cases: &'a [Case],
        settings: &'a [Setting],
        possible: &BTreeSet<String>,
        options: &Options,
    ) -> Self {
        let (missing, seed) = (MissingVariants::new(possible, cases), options.seed);
        let mut plan = Plan { jobs: Vec::new(), missing, seed };
        let dry = device.context().map(|_| device.dry());
        for case in cases.iter().filter(|case| options.full || !case.large) {
            if waiting == Waiting::Yielding {
                give_way().await;
            }
            let settings = dry.as_ref().map_or_else(Vec::new, |dry| plan.settings_of(case, dry, settings));
            plan.jobs.push(Job { index: plan.jobs.len(), case, settings });
        }
        plan
    }

    /// The settings in which the case launches a variant that is still missing, or runs in blocks.
    fn settings_of(&mut self, case: &Case, dry: &Device, settings: &'a [Setting]) -> Vec<&'a Setting> {
        let (inputs, missing) = (case.inputs(self.seed), &mut self.missing);
        let launched =
            |dry: &Device| launched(dry, |dry| at_once(case.run_by(Waiting::Blocking, dry, &inputs)).map(drop));
        missing.remove(launched(dry));
        let suits = |setting: &&Setting| setting.suits(case, &inputs);
        let mut is_wanted = |setting: &&Setting| {
            let is_new = missing.may_be_launched_by(case) && missing.remove(launched(&setting.dry));
            is_new || setting.adds_blocks(case)
        };
        settings.iter().filter(suits).filter(&mut is_wanted).collect()
    }
}
