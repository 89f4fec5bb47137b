//! `roofline.png`: the roofs, a numbered point for every op and size, and the numbers' meanings beside them.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::cases::{Case, Family};
use crate::measured::{Measured, Rating};
use crate::report;

#[path = "../../examples/common/charts/pen.rs"]
mod pen;

use pen::{Type, stroke, write, write_upwards};

/// The font of the `digits` example's pictures.
static FONT: &[u8] = include_bytes!("../../examples/data/Roboto-subset.ttf");

// From Okabe and Ito's palette, whose colours colour-blind readers can also distinguish.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 138, 100);
const PURPLE: RGBColor = RGBColor(160, 70, 130);
const INK: RGBColor = RGBColor(34, 34, 34);
const GREY: RGBColor = RGBColor(90, 90, 90);
const LINE: RGBColor = RGBColor(225, 225, 225);
const PAPER: RGBColor = RGBColor(255, 255, 255);

const TITLE: Type = Type { size: 34, colour: INK };
const SUBTITLE: Type = Type { size: 21, colour: GREY };
const TEXT: Type = Type { size: 22, colour: INK };
const SMALL: Type = Type { size: 19, colour: INK };

const LEFT: i32 = 115;
const TOP: i32 = 125;
const WIDTH: i32 = 1060;
const MIN_HEIGHT: i32 = 760;
const BOTTOM: i32 = 95;
/// The list of ops: where it begins right of the chart, its width, and the height of a line.
const GAP: i32 = 50;
const LIST: i32 = 620;
const LIST_LINE: i32 = 23;

const ROOF_WIDTH: f32 = 3.0;
const DOT: f32 = 10.0;
/// A number that is no further from its point than this needs no line to it.
const NEXT_TO: i32 = 24;
/// Half of the room that a number takes.
const NUMBER: (i32, i32) = (13, 10);

/// A page, or a part of one, in pixels from its own top left.
type Page<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
/// plotters' error type differs from step to step, and only its message is needed.
type Drawn = Result<(), Box<dyn Error>>;

/// A case on the page.
struct Point {
    at: (i32, i32),
    colour: RGBColor,
}

/// The logarithmic axes: FLOP per byte to the right, GFLOP/s upwards.
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
    height: i32,
}

impl Axes {
    /// Wide enough for the points and for both roofs.
    fn around(measured: &Measured, height: i32) -> Axes {
        let ratings: Vec<_> = measured.timed.iter().map(|(case, timing)| measured.rate(case, timing)).collect();
        let (peak, ridge) = roofs(measured);
        let range = |values: &dyn Fn(&Rating) -> f64, first: f64| {
            ratings.iter().map(values).fold((first, first), |(low, high), value| (low.min(value), high.max(value)))
        };
        let (x, y) = (range(&|rating| rating.intensity, ridge), range(&|rating| rating.flop_rate / 1e9, peak));
        Axes { x: (x.0 / 1.8, x.1 * 1.8), y: (y.0 / 1.8, y.1 * 1.8), height }
    }

    fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        let share = |value: f64, (low, high): (f64, f64)| (value / low).ln() / (high / low).ln();
        let right = f64::from(WIDTH) * share(x, self.x);
        let up = f64::from(self.height) * share(y, self.y);
        (LEFT + right.round() as i32, TOP + self.height - up.round() as i32)
    }

    /// Whether the room is within the chart.
    fn hold(&self, room: &Room) -> bool {
        room.low.0 > LEFT && room.low.1 > TOP && room.high.0 < LEFT + WIDTH && room.high.1 < self.bottom()
    }

    fn bottom(&self) -> i32 {
        TOP + self.height
    }
}

pub(crate) fn draw(path: &Path, measured: &Measured) -> Drawn {
    let height = MIN_HEIGHT.max(LIST_LINE * measured.timed.len() as i32);
    let size = (LEFT + WIDTH + GAP + LIST, TOP + height + BOTTOM);
    let page = BitMapBackend::new(path, (size.0.unsigned_abs(), size.1.unsigned_abs())).into_drawing_area();
    page.fill(&PAPER)?;
    write(&page, "Roofline", (LEFT, 38), HPos::Left, TITLE)?;
    let info = &measured.info;
    let subtitle =
        format!("{} ({}), {}; CPU {}; {}", info.name, info.backend, info.driver, report::cpu(), report::today());
    write(&page, &subtitle, (LEFT, 80), HPos::Left, SUBTITLE)?;

    let axes = Axes::around(measured, height);
    draw_axes(&page, &axes)?;
    let mut taken = draw_roofs(&page, &axes, measured)?;
    let points = points(&axes, measured);
    taken.extend(points.iter().map(|point| Room::around(point.at, (6, 6))));
    draw_numbers(&page, &axes, &points, taken)?;
    draw_list(&page, measured)?;
    Ok(page.present()?)
}

fn points(axes: &Axes, measured: &Measured) -> Vec<Point> {
    let point = |(case, timing): &(Case, _)| {
        let rating = measured.rate(case, timing);
        Point { at: axes.place((rating.intensity, rating.flop_rate / 1e9)), colour: colour(case.family) }
    };
    measured.timed.iter().map(point).collect()
}

fn colour(family: Family) -> RGBColor {
    match family {
        Family::Product => BLUE,
        Family::Elementwise => VERMILION,
        Family::ByRow => GREEN,
        Family::Step => PURPLE,
    }
}

/// The multiply-add rate in GFLOP/s, and the FLOP per byte from which on it is the lower roof.
fn roofs(measured: &Measured) -> (f64, f64) {
    let (peak, bandwidth) = (measured.ceilings.multiply_add.rate(), measured.ceilings.copy.rate());
    (peak / 1e9, peak / bandwidth)
}

/// The frame, a line for each 1, 2 and 5, and what the axes mean.
fn draw_axes(page: &Page, axes: &Axes) -> Drawn {
    let (right, bottom) = (LEFT + WIDTH, axes.bottom());
    for value in ticks(axes.x) {
        let (x, _) = axes.place((value, axes.y.0));
        stroke(page, &[(x, TOP), (x, bottom)], 1.0, LINE)?;
        write(page, &value.to_string(), (x, bottom + 22), HPos::Center, SMALL)?;
    }
    for value in ticks(axes.y) {
        let (_, y) = axes.place((axes.x.0, value));
        stroke(page, &[(LEFT, y), (right, y)], 1.0, LINE)?;
        write(page, &value.to_string(), (LEFT - 12, y), HPos::Right, SMALL)?;
    }
    stroke(page, &[(LEFT, TOP), (LEFT, bottom), (right, bottom)], 1.0, GREY)?;
    write(page, "FLOP per byte", (LEFT + WIDTH / 2, bottom + 60), HPos::Center, TEXT)?;
    write_upwards(page, "GFLOP/s", (32, TOP + axes.height / 2), TEXT)
}

/// 1, 2 and 5 of each decade within the range.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    // Through text, which has no 0.30000000000000004.
    let tick = |decade, digit| format!("{digit}e{decade}").parse().unwrap_or(f64::NAN);
    let all = decades.flat_map(|decade| [1, 2, 5].map(|digit| tick(decade, digit)));
    all.filter(|tick| (low..=high).contains(tick)).collect()
}

/// Both roofs with their names; gives the room that they take.
fn draw_roofs(page: &Page, axes: &Axes, measured: &Measured) -> Result<Vec<Room>, Box<dyn Error>> {
    let ceilings = &measured.ceilings;
    let (peak, ridge) = roofs(measured);
    let slope = |x: f64| (x, x * peak / ridge);
    let (start, corner, end) = (
        axes.place(slope(axes.x.0.max(axes.y.0 * ridge / peak))),
        axes.place((ridge, peak)),
        axes.place((axes.x.1, peak)),
    );
    stroke(page, &[start, corner, end], ROOF_WIDTH, INK)?;

    let copy = format!("copy {}", report::byte_rate(&ceilings.copy));
    let middle = ((start.0 + corner.0) / 2, (start.1 + corner.1) / 2);
    let multiply_add = format!("multiply-add {}", report::flop_rate(&ceilings.multiply_add));
    write(page, &copy, (middle.0 - 30, middle.1 - 20), HPos::Right, TEXT)?;
    write(page, &multiply_add, (end.0 - 10, end.1 - 22), HPos::Right, TEXT)?;

    let mut taken = vec![
        Room::around((middle.0 - 120, middle.1 - 20), (95, 14)),
        Room::around((end.0 - 145, end.1 - 22), (140, 14)),
    ];
    for (from, to) in [(start, corner), (corner, end)] {
        taken.extend(along(from, to).map(|at| Room::around(at, (3, 3))));
    }
    Ok(taken)
}

/// A rectangle that is taken by something.
#[derive(Clone, Copy)]
struct Room {
    low: (i32, i32),
    high: (i32, i32),
}

impl Room {
    fn around((x, y): (i32, i32), (width, height): (i32, i32)) -> Room {
        Room { low: (x - width, y - height), high: (x + width, y + height) }
    }

    fn meets(&self, other: &Room) -> bool {
        self.low.0 < other.high.0 && other.low.0 < self.high.0 && self.low.1 < other.high.1 && other.low.1 < self.high.1
    }
}

/// Points on the way, a few pixels apart.
fn along(from: (i32, i32), to: (i32, i32)) -> impl Iterator<Item = (i32, i32)> {
    let steps = ((to.0 - from.0).abs().max((to.1 - from.1).abs()) / 6).max(1);
    (0..=steps).map(move |step| (from.0 + (to.0 - from.0) * step / steps, from.1 + (to.1 - from.1) * step / steps))
}

/// Puts each number into the nearest free place around its point, with a thin line to the point if it is not next to it.
fn draw_numbers(page: &Page, axes: &Axes, points: &[Point], mut taken: Vec<Room>) -> Drawn {
    let mut places: Vec<(usize, (i32, i32), &Point)> = Vec::new();
    for (number, point) in (1..).zip(points) {
        let numbers: Vec<_> = places.iter().map(|(_, at, _)| Room::around(*at, NUMBER)).collect();
        let Some(at) = free_room(axes, point.at, &taken, &numbers) else { continue };
        taken.push(Room::around(at, NUMBER));
        let (right, up) = (at.0 - point.at.0, at.1 - point.at.1);
        if right * right + up * up > NEXT_TO * NEXT_TO {
            stroke(page, &[point.at, at], 1.0, GREY)?;
            // Later numbers avoid the line.
            taken.extend(along(point.at, at).map(|at| Room::around(at, (1, 1))));
        }
        places.push((number, at, point));
    }
    // The numbers are drawn over all lines.
    for point in points {
        stroke(page, &[point.at], DOT, point.colour)?;
    }
    for (number, at, point) in places {
        let room = Room::around(at, NUMBER);
        page.draw(&Rectangle::new([room.low, room.high], PAPER.filled()))?;
        write(page, &format!("{number}"), at, HPos::Center, Type { colour: point.colour, ..SMALL })?;
    }
    Ok(())
}

/// The nearest free place. Places whose line crosses no other number are preferred.
fn free_room(axes: &Axes, (x, y): (i32, i32), taken: &[Room], numbers: &[Room]) -> Option<(i32, i32)> {
    const DIRECTIONS: usize = 24;
    const RADII: [i32; 14] = [22, 28, 36, 46, 58, 72, 88, 106, 126, 148, 172, 200, 230, 260];
    let place = |radius: i32, direction: usize| {
        let angle = direction as f64 / DIRECTIONS as f64 * std::f64::consts::TAU;
        (x + (f64::from(radius) * angle.cos()) as i32, y - (f64::from(radius) * angle.sin()) as i32)
    };
    let ring = |radius| (0..DIRECTIONS).map(move |direction| place(radius, direction));
    let is_free = |at: &(i32, i32)| {
        let room = Room::around(*at, NUMBER);
        axes.hold(&room) && !taken.iter().any(|other| other.meets(&room))
    };
    let crosses = |at: (i32, i32)| {
        along((x, y), at).any(|step| numbers.iter().any(|number| number.meets(&Room::around(step, (1, 1)))))
    };
    let free: Vec<_> = RADII.into_iter().flat_map(ring).filter(is_free).collect();
    free.iter().find(|at| !crosses(**at)).or(free.first()).copied()
}

/// The list of the numbers: the case of each, and its share of its floor.
fn draw_list(page: &Page, measured: &Measured) -> Drawn {
    let left = LEFT + WIDTH + GAP;
    write(page, "share of the floor", (left + LIST - 40, TOP - 16), HPos::Right, SUBTITLE)?;
    for (place, (case, timing)) in (0..).zip(&measured.timed) {
        let y = TOP + LIST_LINE / 2 + LIST_LINE * place;
        let coloured = Type { colour: colour(case.family), ..SMALL };
        let share = format!("{} %", report::percent(measured.rate(case, timing).share));
        write(page, &(place + 1).to_string(), (left + 22, y), HPos::Right, coloured)?;
        write(page, case.op, (left + 38, y), HPos::Left, SMALL)?;
        write(page, &case.shape, (left + 240, y), HPos::Left, SMALL)?;
        write(page, &share, (left + LIST - 40, y), HPos::Right, coloured)?;
    }
    Ok(())
}
