//! `curves.png`: loss and accuracy, on the points to train on and on fresh ones.

use std::path::Path;

use crate::Outcome;
use crate::common::charts::Drawn;
use crate::common::charts::panels::{self, Curve, Panel};

pub(crate) fn draw(path: &Path, outcome: &Outcome) -> Drawn {
    let epochs = || outcome.history.epochs.iter();
    let train = Curve::train(epochs().map(|epoch| epoch.loss));
    let fresh = Curve::held_out("fresh points", epochs().filter_map(|epoch| epoch.validation_loss));
    let loss = Panel::loss(vec![train, fresh]);
    let train = Curve::train(outcome.accuracies.iter().map(|share| 100.0 * share));
    let shares = epochs().filter_map(|epoch| epoch.validation_accuracy);
    let fresh = Curve::held_out("fresh points", shares.map(|share| 100.0 * share));
    let accuracy = Panel::accuracy("points in the right arm, %", vec![train, fresh]);
    panels::draw(path, "Learning the spiral", &loss, &accuracy)
}
