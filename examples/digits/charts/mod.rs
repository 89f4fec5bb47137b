//! The pictures.

mod confusion;
mod curves;
mod misread;

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::common::{Failure, charts};

/// Draws every picture into `folder` and returns their paths.
pub(crate) fn draw(folder: &Path, outcome: &Outcome) -> Result<Vec<PathBuf>, Failure> {
    let pictures: [(&str, charts::Picture<Outcome>); 3] =
        [("curves.png", curves::draw), ("confusion.png", confusion::draw), ("misread.png", misread::draw)];
    charts::draw(folder, outcome, &pictures)
}
