//! `curves.png`: the loss, and the accuracy, on the digits to train on and to validate with, epoch by epoch.

use std::path::Path;

use crate::Outcome;
use crate::common::charts::Drawn;
use crate::common::charts::panels::{self, Curve, Panel};

pub(crate) fn draw(path: &Path, outcome: &Outcome) -> Drawn {
    let epochs = || outcome.history.epochs.iter();
    let train = Curve::train(epochs().map(|epoch| epoch.loss));
    let held = Curve::held_out("validation", epochs().filter_map(|epoch| epoch.validation_loss));
    let loss = Panel::loss(vec![train, held]);
    let train = Curve::train(epochs().map(|epoch| 100.0 * epoch.accuracy));
    let shares = epochs().filter_map(|epoch| epoch.validation_accuracy);
    let held = Curve::held_out("validation", shares.map(|share| 100.0 * share));
    let accuracy = Panel::accuracy("digits read correctly, %", vec![train, held]);
    panels::draw(path, "Learning to read digits", &loss, &accuracy)
}
