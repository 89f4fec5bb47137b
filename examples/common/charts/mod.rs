//! Common parts of all pictures: one font, one set of colours, one way to start a page.

pub(crate) mod panels;
pub(crate) mod pen;

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use super::Failure;
use pen::Type;

/// Embedded, so that the pictures look alike everywhere and need no font library of the system.
static FONT: &[u8] = include_bytes!("../../data/Roboto-subset.ttf");

// Of Okabe and Ito's palette, which colour-blind readers tell apart as well.
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub(crate) const YELLOW: RGBColor = RGBColor(240, 228, 66);
pub(crate) const INK: RGBColor = RGBColor(34, 34, 34);
pub(crate) const GREY: RGBColor = RGBColor(90, 90, 90);
pub(crate) const LINE: RGBColor = RGBColor(210, 210, 210);
pub(crate) const PAPER: RGBColor = RGBColor(255, 255, 255);

pub(crate) const TITLE: Type = Type { size: 36, colour: INK };
pub(crate) const SUBTITLE: Type = Type { size: 24, colour: GREY };
pub(crate) const TEXT: Type = Type { size: 26, colour: INK };

/// A page, or a part of one, in pixels from its own top left.
pub(crate) type Page<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
/// plotters' error type differs from step to step, and only its message is needed.
pub(crate) type Drawn = Result<(), Box<dyn Error>>;
/// Draws what an example has come to into a file.
pub(crate) type Picture<T> = fn(&Path, &T) -> Drawn;

/// Draws every picture into `folder` and returns their paths.
pub(crate) fn draw<T>(folder: &Path, outcome: &T, pictures: &[(&str, Picture<T>)]) -> Result<Vec<PathBuf>, Failure> {
    let about = |path: &Path, error: &dyn Display| Failure(format!("{}: {error}", path.display()));
    register_font("sans-serif", FontStyle::Normal, FONT)
        .map_err(|_| Failure("examples/data/Roboto-subset.ttf is not a font".into()))?;
    std::fs::create_dir_all(folder).map_err(|error| about(folder, &error))?;

    let mut paths = Vec::new();
    for (name, picture) in pictures {
        let path = folder.join(name);
        picture(&path, outcome).map_err(|error| about(&path, &error))?;
        paths.push(path);
    }
    Ok(paths)
}

/// An empty page of `width` x `height` pixels.
pub(crate) fn page(path: &Path, width: i32, height: i32) -> Result<Page<'_>, Box<dyn Error>> {
    let page = BitMapBackend::new(path, (width.unsigned_abs(), height.unsigned_abs())).into_drawing_area();
    page.fill(&PAPER)?;
    Ok(page)
}

/// `colour` on paper: `share` 0 is paper, 1 is the colour.
pub(crate) fn blend(colour: RGBColor, share: f64) -> RGBColor {
    let mix = |paper: u8, full: u8| (f64::from(paper) * (1.0 - share) + f64::from(full) * share).round() as u8;
    RGBColor(mix(PAPER.0, colour.0), mix(PAPER.1, colour.1), mix(PAPER.2, colour.2))
}
