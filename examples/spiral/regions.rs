//! `regions.png`: the plane, coloured by the class that the network sees there, with the points on top.

use std::path::Path;

use ndarray::Array2;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::Outcome;
use crate::common::charts::pen::{stroke, write, write_upwards};
use crate::common::charts::{BLUE, Drawn, GREY, Page, SUBTITLE, TEXT, TITLE, VERMILION, YELLOW, blend, page};
use crate::points::CLASSES;

/// The map is a square of so many pixels; it shows the plane from -EDGE to EDGE.
const SIDE: i32 = 640;
const EDGE: f32 = 1.15;
const LEFT: i32 = 120;
const RIGHT: i32 = 60;
const TOP: i32 = 180;
const BOTTOM: i32 = 110;

const COLOURS: [RGBColor; CLASSES] = [BLUE, VERMILION, YELLOW];
/// The strength of a region's colour where the network is certain.
const TINT: f64 = 0.45;
const STEPS: f64 = 6.0;
/// Half the width of a marker, and of the rim around it.
const MARKER: f32 = 6.0;
const RIM: f32 = 2.0;
/// The number of samples along each side of a pixel, to smooth a marker.
const SAMPLES: i32 = 4;

pub(crate) fn draw(path: &Path, outcome: &Outcome) -> Drawn {
    let page = page(path, LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM)?;
    let middle = LEFT + SIDE / 2;
    write(&page, "The spiral as the network sees it", (middle, 45), HPos::Center, TITLE)?;
    let share = 100.0 * outcome.accuracy();
    let key = format!("colour: the most probable arm, paler where less sure; {share:.1} % of the points are right");
    write(&page, &key, (middle, 92), HPos::Center, SUBTITLE)?;

    draw_regions(&page, outcome)?;
    draw_axes(&page)?;
    for (place, label) in outcome.train.places.rows().into_iter().zip(&outcome.train.labels) {
        draw_marker(&page, (pixel(place[0]) + LEFT, pixel(-place[1]) + TOP), usize::from(*label))?;
    }
    for arm in 0..CLASSES {
        let x = middle + 150 * (arm as i32 - 1);
        draw_marker(&page, (x - 42, TOP - 38), arm)?;
        write(&page, &format!("arm {}", arm + 1), (x - 24, TOP - 38), HPos::Left, TEXT)?;
    }
    Ok(page.present()?)
}

/// A coordinate of the plane in pixels of the map.
fn pixel(coordinate: f32) -> i32 {
    ((coordinate + EDGE) / (2.0 * EDGE) * SIDE as f32).round() as i32
}

/// Predicts all pixels in one call: 409,600 rows.
fn draw_regions(page: &Page, outcome: &Outcome) -> Drawn {
    let side = SIDE as usize;
    let places = Array2::from_shape_fn((side * side, 2), |(row, axis)| {
        let (x, y) = ((row % side) as f32 + 0.5, (row / side) as f32 + 0.5);
        if axis == 0 { 2.0 * EDGE * x / SIDE as f32 - EDGE } else { EDGE - 2.0 * EDGE * y / SIDE as f32 }
    });
    let probabilities = outcome.model.predict_proba(places.view())?;
    for (row, shares) in probabilities.rows().into_iter().enumerate() {
        let (mut class, mut best) = (0, 0.0);
        for (other, share) in shares.iter().enumerate().filter(|(_, share)| share.is_finite()) {
            if *share > best {
                (class, best) = (other, *share);
            }
        }
        // No colour where all classes are equally probable. Shares are rounded to steps, which keeps the file small.
        let sure = (f64::from(best) - 1.0 / CLASSES as f64) * 1.5;
        let colour = blend(COLOURS[class], TINT * (STEPS * sure).round() / STEPS);
        page.draw_pixel((LEFT + (row % side) as i32, TOP + (row / side) as i32), &colour)?;
    }
    Ok(())
}

/// The frame, numbers along it, and names.
fn draw_axes(page: &Page) -> Drawn {
    let (right, bottom) = (LEFT + SIDE, TOP + SIDE);
    let frame = [(LEFT, TOP), (right, TOP), (right, bottom), (LEFT, bottom), (LEFT, TOP)];
    stroke(page, &frame, 1.5, GREY)?;
    for number in [-1.0f32, -0.5, 0.0, 0.5, 1.0] {
        let (x, y, name) = (LEFT + pixel(number), TOP + pixel(-number), format!("{number:.1}"));
        stroke(page, &[(x, bottom), (x, bottom + 8)], 1.5, GREY)?;
        stroke(page, &[(LEFT - 8, y), (LEFT, y)], 1.5, GREY)?;
        write(page, &name, (x, bottom + 28), HPos::Center, TEXT)?;
        write(page, &name, (LEFT - 16, y), HPos::Right, TEXT)?;
    }
    write(page, "x", (LEFT + SIDE / 2, bottom + 72), HPos::Center, TEXT)?;
    write_upwards(page, "y", (32, TOP + SIDE / 2), TEXT)
}

/// A point: a disc, a square or a triangle, so that the arms differ in more than colour, with a dark rim.
fn draw_marker(page: &Page, (x, y): (i32, i32), arm: usize) -> Drawn {
    let inside = |across: f32, down: f32, size: f32| match arm {
        0 => across.hypot(down) <= size,
        1 => across.abs().max(down.abs()) <= 0.88 * size,
        _ => down <= 0.75 * size && down >= 2.0 * across.abs() - 1.25 * size,
    };
    let reach = MARKER.ceil() as i32 + 2;
    let cells = (-reach..=reach).flat_map(|across| (-reach..=reach).map(move |down| (across, down)));
    for (across, down) in cells {
        let part = |pixel: i32, part: i32| pixel as f32 + (part as f32 + 0.5) / SAMPLES as f32 - 0.5;
        let covered = |size: f32| {
            let parts =
                (0..SAMPLES * SAMPLES).map(|index| (part(across, index % SAMPLES), part(down, index / SAMPLES)));
            parts.filter(|(across, down)| inside(*across, *down, size)).count() as f64 / f64::from(SAMPLES * SAMPLES)
        };
        let place = (x + across, y + down);
        page.draw_pixel(place, &GREY.mix(covered(MARKER)))?;
        page.draw_pixel(place, &COLOURS[arm].mix(covered(MARKER - RIM)))?;
    }
    Ok(())
}
