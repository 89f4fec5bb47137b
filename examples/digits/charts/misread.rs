//! `misread.png`: every test digit that the network read wrongly.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::Outcome;
use crate::common::charts::pen::write;
use crate::common::charts::{Drawn, LINE, Page, SUBTITLE, TEXT, TITLE, page};
use crate::data::SIDE;

/// One pixel of a digit, enlarged.
const PIXEL: i32 = 20;
const DIGIT: i32 = PIXEL * SIDE as i32;
const TILE_WIDTH: i32 = DIGIT + 60;
const TILE_HEIGHT: i32 = DIGIT + 65;
const MARGIN: i32 = 40;
const TOP: i32 = 135;
/// A page that is narrower than this has no room for its title.
const MIN_COLUMNS: usize = 5;

pub(crate) fn draw(path: &Path, outcome: &Outcome) -> Drawn {
    let misread = outcome.misread();
    // A sheet that is nearly square can be read for any number of misread digits.
    let columns = misread.len().isqrt().max(MIN_COLUMNS);
    let lines = misread.len().div_ceil(columns);
    let width = TILE_WIDTH * columns as i32 + 2 * MARGIN;
    let page = page(path, width, TOP + TILE_HEIGHT * lines as i32 + MARGIN)?;

    let title = format!("{} of {} test digits misread", misread.len(), outcome.test.labels.len());
    write(&page, &title, (width / 2, 45), HPos::Center, TITLE)?;
    let key = match misread.is_empty() {
        true => "every one of them was read correctly",
        false => "in brackets: how probable the network thought its answer",
    };
    write(&page, key, (width / 2, 92), HPos::Center, SUBTITLE)?;
    for (place, &row) in misread.iter().enumerate() {
        let (column, line) = ((place % columns) as i32, (place / columns) as i32);
        let corner = (MARGIN + TILE_WIDTH * column, TOP + TILE_HEIGHT * line);
        draw_tile(&page, corner, outcome, row)?;
    }
    Ok(page.present()?)
}

/// One digit with its caption, in the tile whose top left is `corner`.
fn draw_tile(page: &Page, (x, y): (i32, i32), outcome: &Outcome, row: usize) -> Drawn {
    let left = x + (TILE_WIDTH - DIGIT) / 2;
    for (index, &ink) in outcome.test.pixels.row(row).iter().enumerate() {
        let (column, line) = ((index % SIDE) as i32, (index / SIDE) as i32);
        let corner = (left + PIXEL * column, y + PIXEL * line);
        let shade = (255.0 * (1.0 - ink)).round() as u8;
        let pixel = [corner, (corner.0 + PIXEL, corner.1 + PIXEL)];
        page.draw(&Rectangle::new(pixel, RGBColor(shade, shade, shade).filled()))?;
    }
    let frame = [(left - 1, y - 1), (left + DIGIT, y + DIGIT)];
    page.draw(&Rectangle::new(frame, LINE.stroke_width(1)))?;

    let read = outcome.read[row];
    let probability = outcome.probabilities[[row, read as usize]];
    let caption = format!("{} read as {read} ({probability:.2})", outcome.test.labels[row]);
    write(page, &caption, (x + TILE_WIDTH / 2, y + DIGIT + 26), HPos::Center, TEXT)
}
