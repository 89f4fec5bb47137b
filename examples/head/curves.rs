//! The curves of a head: the loss, and the accuracy, on the rows to train on and on those held out, epoch by epoch.

use std::path::Path;

use wgpu_mlp::History;

use crate::common::charts::Drawn;
use crate::common::charts::panels::{self, Curve, Panel};

pub(crate) fn draw(path: &Path, title: &str, history: &History) -> Drawn {
    let epochs = || history.epochs.iter();
    let train = Curve::train(epochs().map(|epoch| epoch.loss));
    let held = Curve::held_out("held out", epochs().filter_map(|epoch| epoch.validation_loss));
    let loss = Panel::loss(vec![train, held]);
    let train = Curve::train(epochs().map(|epoch| 100.0 * epoch.accuracy));
    let shares = epochs().filter_map(|epoch| epoch.validation_accuracy);
    let held = Curve::held_out("held out", shares.map(|share| 100.0 * share));
    let accuracy = Panel::accuracy("rows in the right class, %", vec![train, held]);
    panels::draw(path, title, &loss, &accuracy)
}
