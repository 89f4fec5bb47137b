//! The beginning of a training: its data and options are checked, and rows are split.

use super::batches::{LabelledRows, split};
use super::class_weights::{check_weights, moderated};
use super::joint::Joint;
use super::trainer::Trainer;
use super::training::Training;
use crate::distributed::Call;
use crate::error::{Error, Result, Shape};
use crate::host_memory::not_empty;
use crate::mlp::Mlp;
use crate::mlp::checks::check_rows;
use crate::source::RowSource;
use crate::targets::{Label, Targets};
use crate::waiting::Waiting;

/// The rule that a training without rows breaks.
const NOTHING_TO_TRAIN: &str = "no row is left to train on: each is ignored by its label, or has a weight of 0, or is of a \
                                class whose weight is 0";
/// The rule that a validation without rows breaks.
const NOTHING_TO_VALIDATE: &str = "no row is left to validate on: a validation set needs a row that counts, and \
                                   validation_fraction takes none where no class has a second row";

impl<'a> Trainer<'a> {
    /// The training on these rows, validated on this set or on a fraction of the rows. Over ranks, `all` are the rows of all of
    /// them.
    pub(super) fn training<'b>(
        &self,
        waiting: Waiting,
        model: &Mlp,
        (rows, all): (LabelledRows<'b>, LabelledRows<'_>),
        validation_set: Option<&'b (Box<dyn RowSource + 'a>, Vec<i64>)>,
        joint: Option<Joint<'b>>,
    ) -> Result<Training<'b>>
    where
        'a: 'b,
    {
        let (options, labels, classes) = (self.options, all.labels, model.classes());
        not_empty("fit", labels.len(), rows.cols)?;
        // A validation set takes the fraction's place.
        let fraction = if validation_set.is_some() { 0.0 } else { options.validation_fraction };
        let (train, held) = split(labels, classes, fraction, options.seed);
        let validation = match validation_set {
            Some((x, labels)) => {
                let set = LabelledRows::new("validation", (x, model.inputs()), labels, None);
                Some((set, (0..labels.len()).collect()))
            }
            None if fraction == 0.0 => None,
            None => Some((rows, joint.as_ref().map_or_else(|| held.clone(), |joint| joint.own_of(&held).0))),
        };
        if let Some((rows, held)) = &validation {
            let counts = held.iter().any(|row| rows.counts(*row));
            if !joint.as_ref().map_or(Ok(counts), |joint| joint.any(Call::Fit, counts))? {
                return Err(Error::Combination { op: "fit", rule: NOTHING_TO_VALIDATE });
            }
        }
        let train_labels: Vec<_> = train.iter().map(|row| labels[*row]).collect();
        let weights = if train.iter().any(|row| all.counts(*row)) {
            options.class_weights.of(&train_labels, classes)?
        } else {
            return Err(Error::Combination { op: "fit", rule: NOTHING_TO_TRAIN });
        };
        if let Some(weights) = &weights {
            let weighs = |label: i64| usize::try_from(label).ok().and_then(|class| weights.get(class)) > Some(&0.0);
            if weights.len() == classes && !train.iter().any(|row| all.counts(*row) && weighs(labels[*row])) {
                return Err(Error::Combination { op: "fit", rule: NOTHING_TO_TRAIN });
            }
        }
        let step_options = options.step_options(&model.device, classes, weights.map(moderated))?;
        Ok(Training { options, rows, train, validation, step_options, waiting, ahead: None, joint })
    }

    /// Refuses data and options that do not fit each other or the model.
    pub(super) fn check<L: Label>(&self, model: &Mlp, x: &dyn RowSource, labels: &[L]) -> Result<()> {
        // Of several ranks, some may have no rows.
        let is_empty = |rows: &dyn RowSource| self.joint_ranks().is_some() && rows.dim().0 == 0;
        if !is_empty(x) {
            model.check_inputs("fit", x)?;
        }
        check_rows("fit", x, labels.len())?;
        if !is_empty(x) {
            Targets::check_ignoring(labels, model.classes(), self.options.ignored())?;
        }
        if let Some((x, labels)) = &self.validation {
            if !is_empty(x) {
                model.check_inputs("validation", x)?;
            }
            check_rows("validation", x, labels.len())?;
            if !is_empty(x) {
                Targets::check(labels, model.classes())?;
            }
        }
        if let Some(weights) = self.row_weights {
            if weights.len() != x.dim().0 {
                let right = Shape { rows: weights.len(), cols: 1 };
                let rule = "there must be a weight for each row";
                return Err(Error::Shape { op: "fit", rule, left: x.dim().into(), right });
            }
            check_weights("row", weights)?;
        }
        self.options.check(self.validation.is_some() || self.options.validation_fraction > 0.0)
    }
}
