//! The course of a fit: its checks, the first messages between ranks, its state, and its epochs.

use super::history::History;
use super::joint::{Joint, described};
use super::trainer::Trainer;
use crate::distributed::{Call, Ranks};
use crate::error::Result;
use crate::mlp::Mlp;
use crate::source::RowSource;
use crate::targets::Label;
use crate::waiting::{Waiting, at_once};

impl<'a> Trainer<'a> {
    /// Fits the model. Over ranks, an error on one rank is returned by all of them.
    pub(in crate::mlp::train) async fn fit_by<L: Label>(
        self,
        waiting: Waiting,
        model: &mut Mlp,
        x: &dyn RowSource,
        labels: &[L],
    ) -> Result<History> {
        let Some(ranks) = self.joint_ranks() else { return self.fit_rows(waiting, model, x, labels).await };
        let leaving = ranks.leaving(Call::Fit);
        let outcome = self.fit_rows(waiting, model, x, labels).await;
        leaving.not_early();
        ranks.settled(Call::Fit, outcome)
    }

    /// Fits the model on this rank's rows, together with the other ranks if there are any.
    async fn fit_rows<L: Label>(
        mut self,
        waiting: Waiting,
        model: &mut Mlp,
        x: &dyn RowSource,
        labels: &[L],
    ) -> Result<History> {
        let checked = self.check(model, x, labels)?;
        self.checkpoints.check(self.joint_ranks())?;
        let joint = match self.joint_ranks() {
            None => None,
            Some(ranks) => {
                let described = self.described(model, self.validation.is_some());
                let joint = Joint::begin(ranks, model, checked.ids.len(), described)?;
                self.checkpoints.share(ranks)?;
                Some(joint)
            }
        };
        let validation = self.validation.take().map(|(x, _)| x);
        let sources = (x, validation.as_deref());
        let training = self.training(waiting, model, sources, &checked, joint)?;
        let mut state = self.checkpoints.first_state(model, self.options, training.row_counts())?;
        model.partial = None;
        // Rank 0's parameters are taken only here: data and options that were refused above leave the model unchanged.
        if let Some(joint) = &training.joint {
            joint.take_parameters(waiting, model).await?;
        }
        let (callbacks, checkpoints) = (&mut self.callbacks, &mut self.checkpoints);
        let outcome = match waiting {
            Waiting::Blocking => training.reading_ahead(&model.device.clone(), |training| {
                at_once(training.run(model, &mut state, callbacks, checkpoints))
            }),
            Waiting::Yielding => training.run(model, &mut state, callbacks, checkpoints).await,
        };
        if outcome.is_err() {
            model.renew_copy(waiting).await;
        }
        outcome.map(|()| state.history)
    }

    /// The ranks to train over, if there are several.
    pub(super) fn joint_ranks(&self) -> Option<&'a Ranks> {
        self.ranks.filter(|ranks| ranks.size() > 1)
    }

    /// The settings that must be equal on all ranks, as pairs of a name and a value.
    fn described(&self, model: &Mlp, validates: bool) -> Vec<(&'static str, String)> {
        let more = [
            ("whether there is a validation set", validates.to_string()),
            ("whether rows have weights", self.row_weights.is_some().to_string()),
        ];
        described(model, self.options).into_iter().chain(more).collect()
    }
}
