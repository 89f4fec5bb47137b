//! Plots of a training's history.

use std::error::Error as StdError;
use std::io::{self, Write};
use std::path::Path;

use plotters::prelude::*;
#[cfg(not(target_family = "wasm"))]
use plotters::style::register_font;

use crate::error::Result;
use crate::files::{failed, replace};
use crate::mlp::{Epoch, History};

/// The picture's size in pixels.
const SIZE: (u32, u32) = (1100, 460);
// Blue and vermilion of Okabe and Ito's palette, which colour-blind readers can tell apart.
const TRAINING: RGBColor = RGBColor(0, 114, 178);
const VALIDATION: RGBColor = RGBColor(213, 94, 0);
/// The font family: the font by which plotters measures texts, and a fallback for viewers that do not have it.
const FAMILY: &str = "Roboto, sans-serif";
#[cfg(not(target_family = "wasm"))]
static GLYPHS: &[u8] = include_bytes!("../examples/data/Roboto-subset.ttf");
const FONT: (&str, u32) = (FAMILY, 16);

/// A curve of a panel: its name, colour and points.
type Curve = (&'static str, RGBColor, Vec<(f64, f64)>);
/// A function that returns a value of an epoch.
type Value = fn(&Epoch) -> Option<f64>;

impl History {
    /// Plots loss and accuracy over the epochs, in training and in validation, as an SVG picture. This needs the feature
    /// `plot`.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) when the picture cannot be written. The file appears complete or not at all.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, FitOptions, Mlp};
    /// # let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// # let path = std::env::temp_dir().join(format!("wgpu-mlp-doc-{}.svg", std::process::id()));
    /// let history = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default())?;
    /// history.plot(&path)?;
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let svg = self.svg(path)?;
        replace(path, |file| file.write_all(svg.as_bytes()))
    }

    /// The SVG picture that [`History::plot`] writes, as text. This needs the feature `plot`.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) when the picture cannot be drawn. It names `the picture` instead of a path.
    pub fn to_svg(&self) -> Result<String> {
        self.svg(Path::new("the picture"))
    }

    /// Draws the picture as SVG text; errors name `path`.
    fn svg(&self, path: &Path) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| failed(path, io::Error::other(error.to_string())))?;
        Ok(svg)
    }

    /// Draws the picture into `svg`.
    fn draw(&self, svg: &mut String) -> std::result::Result<(), Box<dyn StdError>> {
        // In browsers the page measures texts, which a worker cannot do.
        #[cfg(target_family = "wasm")]
        web_sys::window()
            .and_then(|window| window.document()?.body())
            .ok_or("only a page can draw, and not a worker")?;
        #[cfg(not(target_family = "wasm"))]
        register_font(FAMILY, FontStyle::Normal, GLYPHS).map_err(|_| "the font is none")?;
        let page = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        page.fill(&WHITE)?;
        let panels = page.split_evenly((1, 2));
        let loss = self.curves(|epoch| Some(epoch.loss), |epoch| epoch.validation_loss);
        let accuracy = self.curves(
            |epoch| Some(100.0 * epoch.accuracy),
            |epoch| epoch.validation_accuracy.map(|accuracy| 100.0 * accuracy),
        );
        self.panel(&panels[0], "Loss", "mean cross-entropy", &loss, None)?;
        self.panel(&panels[1], "Accuracy", "rows classified correctly, %", &accuracy, Some(100.0))?;
        page.present()?;
        Ok(())
    }

    /// The curves of a value in training and in validation, without points that are not finite.
    fn curves(&self, training: Value, validation: Value) -> [Curve; 2] {
        let points = |value: Value| {
            let point =
                |epoch: &Epoch| Some((epoch.index as f64 + 1.0, value(epoch).filter(|value| value.is_finite())?));
            self.epochs.iter().filter_map(point).collect()
        };
        [("training", TRAINING, points(training)), ("validation", VALIDATION, points(validation))]
    }

    /// Draws a panel with these curves.
    fn panel(
        &self,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        title: &str,
        unit: &str,
        curves: &[Curve],
        highest: Option<f64>,
    ) -> std::result::Result<(), Box<dyn StdError>> {
        let values = || curves.iter().flat_map(|(_, _, points)| points.iter().map(|(_, y)| *y));
        let top = highest.unwrap_or(1.05 * values().fold(0.0, f64::max)).max(f64::MIN_POSITIVE);
        // The axis of a loss begins at 0. The axis of an accuracy begins at the multiple of ten below its lowest value.
        let bottom = highest.map_or(0.0, |top| 10.0 * (values().fold(top - 10.0, f64::min) / 10.0).floor());
        let last = self.epochs.len().max(2) as f64;
        let mut chart = ChartBuilder::on(area)
            .caption(title, (FAMILY, 22))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(1.0..last, bottom..top)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            // There are no more marks than epochs, so that each mark is at an epoch.
            .x_labels(self.epochs.len().clamp(2, 11))
            .x_desc("epoch")
            .y_desc(unit)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .label_style(FONT)
            .axis_desc_style(FONT)
            .draw()?;
        for (name, colour, points) in curves.iter().filter(|(_, _, points)| !points.is_empty()) {
            let (colour, thick) = (*colour, ShapeStyle::from(*colour).stroke_width(2));
            let series = chart.draw_series(LineSeries::new(points.iter().copied(), thick))?;
            series.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(2)));
            if *name == "validation" || points.len() == 1 {
                // Dots, so that the lines differ not only in colour.
                chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
            }
        }
        let place = if highest.is_some() { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight };
        chart
            .configure_series_labels()
            .position(place)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.2))
            .label_font(FONT)
            .draw()?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_file_and_the_text_are_one_picture() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.svg");
        let history = History { epochs: vec![Epoch { loss: 1.0, ..Default::default() }], best_epoch: None };
        history.plot(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), history.to_svg().unwrap());
    }

    #[test]
    fn every_history_can_be_drawn() {
        let epoch = |index: usize, loss: f64, held: Option<f64>| Epoch {
            index,
            loss,
            accuracy: 0.5,
            validation_loss: held,
            validation_accuracy: held.map(|_| 0.25),
            ..Default::default()
        };
        let drawn = |epochs: Vec<Epoch>| History { epochs, best_epoch: None }.to_svg().unwrap();
        let both = drawn(vec![epoch(0, 1.0, Some(2.0)), epoch(1, 0.5, Some(1.5))]);
        assert!(["training", "validation", "mean cross-entropy", "epoch"].iter().all(|word| both.contains(word)));
        assert!(!drawn(vec![epoch(0, 1.0, None), epoch(1, 0.5, None)]).contains("validation"));
        for epochs in 2..30 {
            let drawn = drawn((0..epochs).map(|index| epoch(index, 1.0, None)).collect());
            // In the SVG text the number of an epoch is on a line of its own. Each number occurs once in each of the two panels.
            let numbers = drawn.lines().filter_map(|line| line.trim().parse::<usize>().ok());
            let numbers: Vec<_> = numbers.filter(|number| (1..=epochs).contains(number)).collect();
            let twice = |number: &usize| numbers.iter().filter(|other| *other == number).count();
            assert!(numbers.len() >= 4 && numbers.iter().all(|number| twice(number) == 2), "{epochs}: {numbers:?}");
        }
        for odd in [vec![], vec![epoch(0, 1.0, None)], vec![epoch(0, f64::NAN, None), epoch(1, f64::INFINITY, None)]] {
            assert!(drawn(odd).starts_with("<svg"));
        }
        assert!(drawn(vec![epoch(0, 0.0, None), epoch(1, 0.0, None)]).starts_with("<svg"));
    }
}
