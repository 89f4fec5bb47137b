//! `confusion.png`: how often each digit was read as each digit.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::Outcome;
use crate::common::charts::pen::{Type, write, write_upwards};
use crate::common::charts::{BLUE, Drawn, INK, LINE, PAPER, Page, SUBTITLE, TEXT, TITLE, VERMILION, blend, page};
use crate::data::CLASSES;

const CELL: i32 = 74;
const GRID: i32 = CELL * CLASSES as i32;
/// Room for the labels left of the grid, and as much right of it, so that the grid is centred.
const SIDE: i32 = 120;
const TOP: i32 = 130;
const BOTTOM: i32 = 120;
/// A light colour, so that empty cells do not stand out.
const ZERO: RGBColor = RGBColor(150, 150, 150);

pub(crate) fn draw(path: &Path, outcome: &Outcome) -> Drawn {
    let page = page(path, SIDE + GRID + SIDE, TOP + GRID + BOTTOM)?;
    let middle = SIDE + GRID / 2;
    let title = format!("Confusion matrix, test accuracy {:.2} %", 100.0 * outcome.test_accuracy());
    write(&page, &title, (middle, 45), HPos::Center, TITLE)?;
    let key = "counts of test digits: blue where read correctly, orange where misread";
    write(&page, key, (middle, 92), HPos::Center, SUBTITLE)?;

    for (truth, row) in count(outcome).iter().enumerate() {
        let digits: u32 = row.iter().sum();
        for (read, &count) in row.iter().enumerate() {
            draw_cell(&page, (truth, read), count, digits)?;
        }
    }
    draw_labels(&page)?;
    Ok(page.present()?)
}

/// Test digits by true digit (rows) and by the digit read (columns).
fn count(outcome: &Outcome) -> [[u32; CLASSES]; CLASSES] {
    let mut counts = [[0; CLASSES]; CLASSES];
    for (&truth, &read) in outcome.test.labels.iter().zip(&outcome.read) {
        counts[usize::from(truth)][read as usize] += 1;
    }
    counts
}

/// One cell: the count, on a colour that shows its share of the true digit's `digits`.
fn draw_cell(page: &Page, (truth, read): (usize, usize), count: u32, digits: u32) -> Drawn {
    let (x, y) = (SIDE + CELL * read as i32, TOP + CELL * truth as i32);
    let share = f64::from(count) / f64::from(digits.max(1));
    let hue = if truth == read { BLUE } else { VERMILION };
    // The square root makes small shares visible; otherwise a single error would look like no error.
    let colour = if count == 0 { PAPER } else { blend(hue, 0.2 + 0.8 * share.sqrt()) };
    let corners = [(x, y), (x + CELL, y + CELL)];
    page.draw(&Rectangle::new(corners, colour.filled()))?;
    page.draw(&Rectangle::new(corners, LINE.stroke_width(1)))?;
    let ink = match count {
        0 => ZERO,
        _ if is_dark(colour) => PAPER,
        _ => INK,
    };
    write(page, &count.to_string(), (x + CELL / 2, y + CELL / 2), HPos::Center, Type { colour: ink, ..TEXT })
}

/// The ten digits along both axes, and what the axes mean.
fn draw_labels(page: &Page) -> Drawn {
    for digit in 0..CLASSES as i32 {
        let (middle, name) = (CELL * digit + CELL / 2, digit.to_string());
        write(page, &name, (SIDE - 24, TOP + middle), HPos::Center, TEXT)?;
        write(page, &name, (SIDE + middle, TOP + GRID + 28), HPos::Center, TEXT)?;
    }
    write(page, "read as", (SIDE + GRID / 2, TOP + GRID + 75), HPos::Center, TEXT)?;
    write_upwards(page, "true digit", (SIDE - 75, TOP + GRID / 2), TEXT)
}

/// Whether white is easier to read than black on this colour, by its luma (ITU-R BT.601).
fn is_dark(RGBColor(red, green, blue): RGBColor) -> bool {
    0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue) < 140.0
}
