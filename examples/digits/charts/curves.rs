//! `curves.png`: the loss, and the accuracy, on the digits to train on and to validate with, epoch by epoch.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::pen::{stroke, write, write_upwards};
use super::{BLUE, Drawn, GREY, LINE, Page, TEXT, TITLE, VERMILION, page};
use crate::Outcome;

/// The part of the page that a panel may use, and the frame of its chart within.
const PANEL_WIDTH: i32 = 800;
const LEFT: i32 = 115;
const RIGHT: i32 = 45;
const TOP: i32 = 160;
const CHART_HEIGHT: i32 = 480;
const BOTTOM: i32 = 100;

const KEY_LINE: i32 = 40;
const KEY_WIDTH: i32 = 175;
const LINE_WIDTH: f32 = 3.0;
const DOT_WIDTH: f32 = 10.0;
/// More dots than this would run into each other.
const MOST_DOTS: usize = 80;

/// One line of a panel.
struct Curve {
    name: &'static str,
    colour: RGBColor,
    /// Marked with dots as well, so that the lines differ in more than colour.
    dots: bool,
    points: Vec<(usize, f64)>,
}

/// One of the two charts on the page.
struct Panel {
    title: &'static str,
    unit: &'static str,
    /// The lower and the upper end of the vertical axis.
    range: (f64, f64),
    decimals: usize,
    curves: Vec<Curve>,
}

pub(crate) fn draw(path: &Path, outcome: &Outcome) -> Drawn {
    let page = page(path, 2 * PANEL_WIDTH, TOP + CHART_HEIGHT + BOTTOM)?;
    write(&page, "Learning to read digits", (PANEL_WIDTH, 45), HPos::Center, TITLE)?;
    draw_panel(&page, 0, &loss(outcome))?;
    draw_panel(&page, PANEL_WIDTH, &accuracy(outcome))?;
    Ok(page.present()?)
}

fn loss(outcome: &Outcome) -> Panel {
    let epochs = &outcome.history.epochs;
    let train = points(epochs.iter().map(|epoch| (epoch.index + 1, epoch.loss)));
    let validation = points(epochs.iter().filter_map(|epoch| Some((epoch.index + 1, epoch.validation_loss?))));
    let highest = train.iter().chain(&validation).map(|&(_, loss)| loss).fold(0.0, f64::max);
    // A loss that is zero all along still needs a chart of some height.
    let top = if highest > 0.0 { 1.05 * highest } else { 1.0 };
    Panel {
        title: "Loss",
        unit: "mean cross-entropy",
        range: (0.0, top),
        decimals: if top < 0.5 { 2 } else { 1 },
        curves: vec![
            Curve { name: "train", colour: BLUE, dots: false, points: train },
            Curve { name: "validation", colour: VERMILION, dots: validation.len() <= MOST_DOTS, points: validation },
        ],
    }
}

fn accuracy(outcome: &Outcome) -> Panel {
    let epochs = &outcome.history.epochs;
    let train = points(epochs.iter().map(|epoch| (epoch.index + 1, 100.0 * epoch.accuracy)));
    let validation =
        points(epochs.iter().filter_map(|epoch| Some((epoch.index + 1, 100.0 * epoch.validation_accuracy?))));
    let lowest = train.iter().chain(&validation).map(|&(_, percent)| percent).fold(99.0, f64::min);
    let bottom = 10.0 * (lowest / 10.0).floor();
    Panel {
        title: "Accuracy",
        unit: "digits read correctly, %",
        // A little headroom, or the dots of a line at 100 % would stand out of the chart.
        range: (bottom, 100.0 + 0.03 * (100.0 - bottom)),
        decimals: 0,
        curves: vec![
            Curve { name: "train", colour: BLUE, dots: false, points: train },
            Curve { name: "validation", colour: VERMILION, dots: validation.len() <= MOST_DOTS, points: validation },
        ],
    }
}

/// The points that can be drawn: training that diverged has losses that are not finite.
fn points(all: impl Iterator<Item = (usize, f64)>) -> Vec<(usize, f64)> {
    all.filter(|(_, value)| value.is_finite()).collect()
}

/// Draws `panel` into the part of the page that begins at `x`.
fn draw_panel(page: &Page, x: i32, panel: &Panel) -> Drawn {
    let (left, right) = (x + LEFT, x + PANEL_WIDTH - RIGHT);
    let (middle, bottom) = ((left + right) / 2, TOP + CHART_HEIGHT);
    write(page, panel.title, (left, TOP - 35), HPos::Left, TEXT)?;
    write(page, "epoch", (middle, bottom + 68), HPos::Center, TEXT)?;
    write_upwards(page, panel.unit, (x + 32, TOP + CHART_HEIGHT / 2), TEXT)?;
    for (place, curve) in panel.curves.iter().rev().enumerate() {
        draw_key(page, (right - KEY_WIDTH * (place as i32 + 1), TOP - 35), curve)?;
    }

    let last = panel.curves.iter().flat_map(|curve| &curve.points).map(|&(epoch, _)| epoch).max();
    // One epoch alone spans nothing: give the axis a second one.
    let epochs = 1..last.unwrap_or(1).max(2);
    let numbers = ("sans-serif", TEXT.size - 2).into_font().color(&TEXT.colour);
    let mut chart = ChartBuilder::on(&page.clone().shrink((x, TOP), (PANEL_WIDTH - RIGHT, CHART_HEIGHT + 45)))
        .x_label_area_size(45)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(epochs, panel.range.0..panel.range.1)?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT).bold_line_style(LINE).axis_style(GREY).label_style(numbers);
    // plotters puts numbers a fifth of their size above their tick.
    mesh.x_labels(10).y_labels(8).y_label_offset(TEXT.size / 5);
    mesh.y_label_formatter(&|value| format!("{value:.*}", panel.decimals)).draw()?;

    for curve in &panel.curves {
        let points: Vec<_> = curve.points.iter().map(|point| chart.backend_coord(point)).collect();
        draw_curve(page, &points, curve)?;
    }
    Ok(())
}

/// The name of a curve behind a piece of it.
fn draw_key(page: &Page, (x, y): (i32, i32), curve: &Curve) -> Drawn {
    stroke(page, &[(x, y), (x + KEY_LINE, y)], LINE_WIDTH, curve.colour)?;
    if curve.dots {
        stroke(page, &[(x + KEY_LINE / 2, y)], DOT_WIDTH, curve.colour)?;
    }
    write(page, curve.name, (x + KEY_LINE + 12, y), HPos::Left, TEXT)
}

fn draw_curve(page: &Page, points: &[(i32, i32)], curve: &Curve) -> Drawn {
    stroke(page, points, LINE_WIDTH, curve.colour)?;
    // A line of one point is but a speck.
    if curve.dots || points.len() == 1 {
        for &point in points {
            stroke(page, &[point], DOT_WIDTH, curve.colour)?;
        }
    }
    Ok(())
}
