//! Early stopping: ends a training that no longer gets better.

use super::history::Epoch;

/// Early stopping: ends a training before its last epoch when it no longer gets better.
///
/// ```
/// use wgpu_mlp::{EarlyStopping, Monitor};
/// let stopping = EarlyStopping { monitor: Monitor::ValidationAccuracy, patience: 5, ..Default::default() };
/// assert!(stopping.restore_best);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct EarlyStopping {
    /// The quantity that should get better.
    pub monitor: Monitor,
    /// The number of epochs without an improvement after which the training ends.
    pub patience: usize,
    /// The least improvement: an epoch is an improvement if it is better than the best one by more than this.
    pub min_delta: f64,
    /// Whether the model ends with the parameters of the best epoch, also if the training was not ended early. The best epoch is
    /// the last one that was an improvement. Otherwise the model ends with the parameters of the last epoch.
    pub restore_best: bool,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        EarlyStopping { monitor: Monitor::default(), patience: 10, min_delta: 0.0, restore_best: true }
    }
}

/// The quantity that early stopping monitors.
///
/// ```
/// assert_eq!(wgpu_mlp::Monitor::default(), wgpu_mlp::Monitor::ValidationLoss);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Monitor {
    /// The loss on the validation rows.
    #[default]
    ValidationLoss,
    /// The accuracy on the validation rows.
    ValidationAccuracy,
    /// The loss in training.
    Loss,
}

impl Monitor {
    pub(super) fn needs_validation(self) -> bool {
        self != Monitor::Loss
    }

    /// The monitored quantity of an epoch; less is better, so an accuracy is negated. If nothing was validated, it is the
    /// training's own loss or accuracy.
    pub(super) fn value(self, epoch: &Epoch) -> f64 {
        match self {
            Monitor::ValidationLoss => epoch.validation_loss.unwrap_or(epoch.loss),
            Monitor::ValidationAccuracy => -epoch.validation_accuracy.unwrap_or(epoch.accuracy),
            Monitor::Loss => epoch.loss,
        }
    }
}
