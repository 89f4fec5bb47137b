//! Smooth text and lines on a plotters page.
//!
//! plotters' own bitmap backend leaves out the side bearings of letters and does not smooth slanted lines, which shows at the
//! sizes used here. Therefore these functions compute for every pixel how much of it is covered.

use std::collections::HashMap;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Drawn, FONT, Page};

/// The height of a capital letter of [`FONT`], as a share of the text size.
const CAPITAL: f32 = 0.61;

/// How text looks.
#[derive(Clone, Copy)]
pub(crate) struct Type {
    /// From the lowest descender to the highest ascender, in pixels.
    pub(crate) size: i32,
    pub(crate) colour: RGBColor,
}

/// Writes `text` with its middle height at `y`, and with its start, middle or end at `x`.
pub(crate) fn write(page: &Page, text: &str, (x, y): (i32, i32), at: HPos, look: Type) -> Drawn {
    paint(page, look.colour, glyphs(text, look.size, at)?, |(along, down)| (x + along, y + down))
}

/// Writes `text` from the bottom up, its middle at `(x, y)`.
pub(crate) fn write_upwards(page: &Page, text: &str, (x, y): (i32, i32), look: Type) -> Drawn {
    paint(page, look.colour, glyphs(text, look.size, HPos::Center)?, |(along, down)| (x + down, y - along))
}

/// Draws a line through `points`. A single point gives a dot.
pub(crate) fn stroke(page: &Page, points: &[(i32, i32)], width: f32, colour: RGBColor) -> Drawn {
    let reach = width.ceil() as i32;
    let mut covered: HashMap<(i32, i32), f32> = HashMap::new();
    for (index, &from) in points.iter().enumerate() {
        let to = *points.get(index + 1).unwrap_or(&from);
        for x in from.0.min(to.0) - reach..=from.0.max(to.0) + reach {
            for y in from.1.min(to.1) - reach..=from.1.max(to.1) + reach {
                let coverage = (width / 2.0 + 0.5 - distance((x, y), from, to)).clamp(0.0, 1.0);
                // The larger of both, not the sum: where two segments meet, they cover the same part of the pixel.
                let pixel = covered.entry((x, y)).or_default();
                *pixel = pixel.max(coverage);
            }
        }
    }
    paint(page, colour, covered, |pixel| pixel)
}

/// The distance of `pixel` from the segment between `from` and `to`.
fn distance(pixel: (i32, i32), from: (i32, i32), to: (i32, i32)) -> f32 {
    let difference = |a: (i32, i32), b: (i32, i32)| ((a.0 - b.0) as f32, (a.1 - b.1) as f32);
    let ((x, y), (along_x, along_y)) = (difference(pixel, from), difference(to, from));
    let squared = (along_x * along_x + along_y * along_y).max(1.0);
    let nearest = ((x * along_x + y * along_y) / squared).clamp(0.0, 1.0);
    (x - nearest * along_x).hypot(y - nearest * along_y)
}

/// The pixels that `text` covers and how much, relative to its anchor.
fn glyphs(text: &str, size: i32, at: HPos) -> Result<HashMap<(i32, i32), f32>, ab_glyph::InvalidFont> {
    let font = FontRef::try_from_slice(FONT)?.into_scaled(PxScale::from(size as f32));
    let width: f32 = text.chars().map(|letter| font.h_advance(font.glyph_id(letter))).sum();
    let mut start = match at {
        HPos::Left => 0.0,
        HPos::Center => -width / 2.0,
        HPos::Right => -width,
    };
    let baseline = (CAPITAL * size as f32 / 2.0).round();
    let mut covered = HashMap::new();
    for letter in text.chars() {
        let mut glyph = font.scaled_glyph(letter);
        glyph.position = point(start, baseline);
        start += font.h_advance(glyph.id);
        if let Some(outline) = font.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                let pixel = (corner.x as i32 + x as i32, corner.y as i32 + y as i32);
                *covered.entry(pixel).or_default() += coverage;
            });
        }
    }
    Ok(covered)
}

/// Mixes `colour` into every covered pixel, at its place on the page.
fn paint(
    page: &Page,
    colour: RGBColor,
    covered: HashMap<(i32, i32), f32>,
    place: impl Fn((i32, i32)) -> (i32, i32),
) -> Drawn {
    for (pixel, coverage) in covered {
        page.draw_pixel(place(pixel), &colour.mix(f64::from(coverage.min(1.0))))?;
    }
    Ok(())
}
