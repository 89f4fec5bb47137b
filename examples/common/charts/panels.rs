//! Two charts side by side: the loss and the accuracy, epoch by epoch.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::pen::{stroke, write, write_upwards};
use super::{BLUE, Drawn, GREY, LINE, Page, TEXT, TITLE, VERMILION, page};

/// The part of the page that a panel may use, and the frame of its chart within.
const PANEL_WIDTH: i32 = 800;
const LEFT: i32 = 115;
const RIGHT: i32 = 45;
const TOP: i32 = 160;
const CHART_HEIGHT: i32 = 480;
const BOTTOM: i32 = 100;

const KEY_LINE: i32 = 40;
const KEY_GAP: i32 = 55;
const LETTER: i32 = 13;
const LINE_WIDTH: f32 = 3.0;
const DOT_WIDTH: f32 = 10.0;
/// With more dots than this, they would overlap.
const MOST_DOTS: usize = 80;

/// One line of a panel.
pub(crate) struct Curve {
    name: &'static str,
    colour: RGBColor,
    /// Whether the line has dots too, so that the lines differ in more than colour.
    dots: bool,
    points: Vec<(usize, f64)>,
}

impl Curve {
    /// The values on the training rows, one for each epoch.
    pub(crate) fn train(values: impl Iterator<Item = f64>) -> Self {
        Curve { name: "train", colour: BLUE, dots: false, points: points(values) }
    }

    /// The values on rows that the training never saw.
    pub(crate) fn held_out(name: &'static str, values: impl Iterator<Item = f64>) -> Self {
        let points = points(values);
        Curve { name, colour: VERMILION, dots: points.len() <= MOST_DOTS, points }
    }
}

/// The points that can be drawn, with their epochs from 1: training that diverged has losses that are not finite.
fn points(values: impl Iterator<Item = f64>) -> Vec<(usize, f64)> {
    (1..).zip(values).filter(|(_, value)| value.is_finite()).collect()
}

/// One of the two charts on the page.
pub(crate) struct Panel {
    title: &'static str,
    unit: &'static str,
    /// The lower and the upper end of the vertical axis.
    range: (f64, f64),
    decimals: usize,
    curves: Vec<Curve>,
}

impl Panel {
    /// Losses, from 0 up.
    pub(crate) fn loss(curves: Vec<Curve>) -> Self {
        let highest = values(&curves).fold(0.0, f64::max);
        // If all losses are zero, the chart still needs some height.
        let top = if highest > 0.0 { 1.05 * highest } else { 1.0 };
        let decimals = if top < 0.5 { 2 } else { 1 };
        Panel { title: "Loss", unit: "mean cross-entropy", range: (0.0, top), decimals, curves }
    }

    /// Accuracies in per cent, from the next ten below the lowest up to 100.
    pub(crate) fn accuracy(unit: &'static str, curves: Vec<Curve>) -> Self {
        let lowest = values(&curves).fold(99.0, f64::min);
        let bottom = 10.0 * (lowest / 10.0).floor();
        // A little room above 100 %; otherwise the dots of a line at 100 % would be partly outside the chart.
        let range = (bottom, 100.0 + 0.03 * (100.0 - bottom));
        Panel { title: "Accuracy", unit, range, decimals: 0, curves }
    }
}

fn values(curves: &[Curve]) -> impl Iterator<Item = f64> {
    curves.iter().flat_map(|curve| &curve.points).map(|&(_, value)| value)
}

/// A page with this title and these two charts.
pub(crate) fn draw(path: &Path, title: &str, left: &Panel, right: &Panel) -> Drawn {
    let page = page(path, 2 * PANEL_WIDTH, TOP + CHART_HEIGHT + BOTTOM)?;
    write(&page, title, (PANEL_WIDTH, 45), HPos::Center, TITLE)?;
    draw_panel(&page, 0, left)?;
    draw_panel(&page, PANEL_WIDTH, right)?;
    Ok(page.present()?)
}

/// Draws `panel` into the part of the page that begins at `x`.
fn draw_panel(page: &Page, x: i32, panel: &Panel) -> Drawn {
    let (left, right) = (x + LEFT, x + PANEL_WIDTH - RIGHT);
    let (middle, bottom) = ((left + right) / 2, TOP + CHART_HEIGHT);
    write(page, panel.title, (left, TOP - 35), HPos::Left, TEXT)?;
    write(page, "epoch", (middle, bottom + 68), HPos::Center, TEXT)?;
    write_upwards(page, panel.unit, (x + 32, TOP + CHART_HEIGHT / 2), TEXT)?;
    let mut key = right;
    for curve in panel.curves.iter().rev() {
        key -= KEY_GAP + LETTER * curve.name.len() as i32;
        draw_key(page, (key, TOP - 35), curve)?;
    }

    let last = panel.curves.iter().flat_map(|curve| &curve.points).map(|&(epoch, _)| epoch).max();
    // A single epoch gives no range, so the axis gets a second one.
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
    // A line of one point is hard to see.
    if curve.dots || points.len() == 1 {
        for &point in points {
            stroke(page, &[point], DOT_WIDTH, curve.colour)?;
        }
    }
    Ok(())
}
