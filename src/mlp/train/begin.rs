//! The beginning of a training: data and options are checked, and the rows are split.

use std::sync::Arc;

use super::batches::LabelledRows;
use super::class_counts::ClassCounts;
use super::class_weights::{check_weights, moderated, moderating};
use super::joint::Joint;
use super::row_numbers::RowNumbers;
use super::split::split;
use super::trainer::{LabelValue, Trainer};
use super::training::Training;
use crate::distributed::Call;
use crate::error::{Error, Result};
use crate::host_memory::not_empty;
use crate::metrics::same_length;
use crate::mlp::Mlp;
use crate::mlp::checks::check_rows;
use crate::source::{RowSource, dim_of};
use crate::targets::{Label, Targets};
use crate::waiting::Waiting;

/// The rule that a training breaks if no row of it counts.
const NOTHING_TO_TRAIN: &str = "no row is left to train on: each is ignored by its label, or has a weight of 0, or is of a \
                                class whose weight is 0";
/// The rule that a validation breaks if no row of it counts.
const NOTHING_TO_VALIDATE: &str = "no row is left to validate on: a validation set needs a row that counts, and \
                                   validation_fraction takes none where no class has a second row";

/// The class ids of a training's rows and of its validation set's rows. They are known to be classes of the model.
pub(super) struct Checked {
    pub ids: Vec<u32>,
    pub validation: Option<Vec<u32>>,
}

impl<'a> Trainer<'a> {
    /// The training on these rows. It validates on the rows of a validation set, or on a fraction of the training's rows. Over
    /// ranks these are the rows of this rank.
    pub(super) fn training<'b>(
        &self,
        waiting: Waiting,
        model: &Mlp,
        (x, validation_x): (&'b dyn RowSource, Option<&'b dyn RowSource>),
        checked: &'b Checked,
        joint: Option<Joint<'b>>,
    ) -> Result<Training<'b>>
    where
        'a: 'b,
    {
        let (options, classes, joined) = (self.options, model.classes(), joint.as_ref());
        let mut rows = LabelledRows::new("fit", (x, model.inputs()), &checked.ids, self.row_weights);
        let count = joined.map_or(checked.ids.len(), |joint| joint.rows);
        not_empty("fit", count, rows.cols)?;
        let largest = rows.largest_weight();
        rows.weight_scale = moderating(joined.map_or(Ok(largest), |joint| joint.largest(largest))?);
        let (train, held) = self.split(rows, classes, checked, joined)?;
        let validation = match (validation_x, &checked.validation) {
            (Some(x), Some(ids)) => {
                let set = LabelledRows::new("validation", (x, model.inputs()), ids, None);
                Some((set, Arc::new(RowNumbers::First(ids.len()))))
            }
            _ => held.map(|held| (rows, Arc::new(held))),
        };
        if let Some((rows, held)) = &validation {
            let counts = held.iter().any(|row| rows.counting_class(row).is_some());
            if !joined.map_or(Ok(counts), |joint| joint.any(Call::Fit, counts))? {
                return Err(Error::Combination { op: "fit", rule: NOTHING_TO_VALIDATE });
            }
        }
        let counts = match joined {
            Some(joint) => {
                ClassCounts::of(rows, joint.own_of(train.iter()).map(|(row, _)| row), classes)?.over(joint)?
            }
            None => ClassCounts::of(rows, train.iter(), classes)?,
        };
        if !counts.any_counts(None) {
            return Err(Error::Combination { op: "fit", rule: NOTHING_TO_TRAIN });
        }
        let weights = options.class_weights.of(&counts.rows)?;
        // A list of weights whose length is not the number of classes is refused below.
        if weights.as_ref().is_some_and(|weights| weights.len() == classes && !counts.any_counts(Some(weights))) {
            return Err(Error::Combination { op: "fit", rule: NOTHING_TO_TRAIN });
        }
        // Smoothing spreads a part of each row over all classes, also over those without rows.
        let in_losses = |class: usize| options.label_smoothing > 0.0 || counts.has(class);
        let weights = weights.map(|weights| moderated(weights, in_losses));
        let step_options = options.step_options(&model.device, classes, weights)?;
        Ok(Training { options, rows, train: Arc::new(train), validation, step_options, waiting, ahead: None, joint })
    }

    /// Splits the rows, and returns the numbers of the rows to train on and of the rows to validate on. The rows to train on are
    /// counted over all ranks. The rows to validate on are counted among this rank's own rows; they are `None` if no fraction is
    /// held back.
    fn split(
        &self,
        rows: LabelledRows<'_>,
        classes: usize,
        checked: &Checked,
        joint: Option<&Joint<'_>>,
    ) -> Result<(RowNumbers, Option<RowNumbers>)> {
        let fraction = self.options.validation_fraction;
        // If there is a validation set, no fraction of the rows is held back.
        if checked.validation.is_some() || fraction == 0.0 {
            return Ok((RowNumbers::First(joint.map_or(rows.ids.len(), |joint| joint.rows)), None));
        }
        let Some(joint) = joint else {
            let (train, held) = split(rows.ids, classes, fraction, self.options.seed);
            return Ok((train, Some(held)));
        };
        let (train, held) = split(&joint.all_ids(rows.ids)?, classes, fraction, self.options.seed);
        let own = joint.own_of(held.iter()).map(|(row, _)| row);
        Ok((train, Some(RowNumbers::collect(own, joint.own.len()))))
    }

    /// Refuses data and options that do not fit each other or the model, and returns the class ids of the rows.
    pub(super) fn check<L: Label>(&self, model: &Mlp, x: &dyn RowSource, labels: &[L]) -> Result<Checked> {
        // Over several ranks, some ranks may have no rows.
        let is_empty = |rows: usize| self.joint_ranks().is_some() && rows == 0;
        let checked_dim = |op: &'static str, x: &dyn RowSource, labels: usize| -> Result<(usize, usize)> {
            let dim = dim_of(op, x)?;
            if !is_empty(dim.0) {
                model.check_inputs(op, dim)?;
            }
            check_rows(op, dim, labels)?;
            Ok(dim)
        };
        let dim = checked_dim("fit", x, labels.len())?;
        let ids = match is_empty(dim.0) {
            true => Vec::new(),
            false => Targets::check_of("targets", labels, model.classes(), self.options.ignored())?,
        };
        let of_validation = |(x, labels): &(Box<dyn RowSource + 'a>, Vec<LabelValue>)| {
            let (rows, _) = checked_dim("validation", x, labels.len())?;
            match is_empty(rows) {
                true => Ok(Vec::new()),
                false => Targets::check_of("validation", labels, model.classes(), self.options.ignored()),
            }
        };
        let validation = self.validation.as_ref().map(of_validation).transpose()?;
        if let Some(weights) = self.row_weights {
            same_length("fit", "there must be a weight for each row", dim.into(), weights.len())?;
            check_weights("fit", "row", weights)?;
        }
        let validating = self.validation.is_some() || self.options.validation_fraction > 0.0;
        self.options.check(validating, model.layers.len())?;
        Ok(Checked { ids, validation })
    }
}
