//! The pictures, and what they have in common: one font, one set of colours, one way to start a page.

mod confusion;
mod curves;
mod misread;
mod pen;

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use crate::{Failure, Outcome};
use pen::Type;

/// Embedded, so that the pictures look alike everywhere and need no font library of the system.
static FONT: &[u8] = include_bytes!("../../data/Roboto-subset.ttf");

// Blue and vermilion of Okabe and Ito's palette, which colour-blind readers tell apart as well.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const INK: RGBColor = RGBColor(34, 34, 34);
const GREY: RGBColor = RGBColor(90, 90, 90);
const LINE: RGBColor = RGBColor(210, 210, 210);
const PAPER: RGBColor = RGBColor(255, 255, 255);

const TITLE: Type = Type { size: 36, colour: INK };
const SUBTITLE: Type = Type { size: 24, colour: GREY };
const TEXT: Type = Type { size: 26, colour: INK };

/// A page, or a part of one, in pixels from its own top left.
type Page<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
/// plotters' error type differs from step to step, and only its message is wanted.
type Drawn = Result<(), Box<dyn Error>>;
type Picture = fn(&Path, &Outcome) -> Drawn;

/// Draws every picture into `folder` and returns their paths.
pub(crate) fn draw(folder: &Path, outcome: &Outcome) -> Result<Vec<PathBuf>, Failure> {
    let about = |path: &Path, error: &dyn Display| Failure(format!("{}: {error}", path.display()));
    register_font("sans-serif", FontStyle::Normal, FONT)
        .map_err(|_| Failure("examples/data/Roboto-subset.ttf is not a font".into()))?;
    std::fs::create_dir_all(folder).map_err(|error| about(folder, &error))?;

    let pictures: [(&str, Picture); 3] =
        [("curves.png", curves::draw), ("confusion.png", confusion::draw), ("misread.png", misread::draw)];
    let mut paths = Vec::new();
    for (name, picture) in pictures {
        let path = folder.join(name);
        picture(&path, outcome).map_err(|error| about(&path, &error))?;
        paths.push(path);
    }
    Ok(paths)
}

/// An empty page of `width` x `height` pixels.
fn page(path: &Path, width: i32, height: i32) -> Result<Page<'_>, Box<dyn Error>> {
    let page = BitMapBackend::new(path, (width.unsigned_abs(), height.unsigned_abs())).into_drawing_area();
    page.fill(&PAPER)?;
    Ok(page)
}
