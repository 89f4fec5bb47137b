//! `curves.png`: the loss, and the accuracy on both sets, epoch by epoch.

use std::path::Path;

use crate::Outcome;
use crate::common::charts::Drawn;
use crate::common::charts::panels::{self, Curve, Panel};

pub(crate) fn draw(path: &Path, outcome: &Outcome) -> Drawn {
    let lines = || outcome.progress.iter();
    let train = Curve::train(lines().map(|line| 100.0 * line.train_accuracy));
    let test = Curve::held_out("test", lines().map(|line| 100.0 * line.test_accuracy));
    let loss = Panel::loss(vec![Curve::train(lines().map(|line| line.train_loss))]);
    let accuracy = Panel::accuracy("digits read correctly, %", vec![train, test]);
    panels::draw(path, "Learning to read digits", &loss, &accuracy)
}
