//! The digits: reads them from the embedded file, and holds back a share of every class for the test.

use std::io::{self, BufRead, BufReader};

use flate2::read::GzDecoder;
use ndarray::{Array2, Axis};
use rand::Rng;
use rand::seq::SliceRandom;

/// A digit is SIDE x SIDE pixels.
pub(crate) const SIDE: usize = 8;
/// Pixels in a digit.
pub(crate) const PIXELS: usize = SIDE * SIDE;
/// The digits 0 to 9.
pub(crate) const CLASSES: usize = 10;
/// The value of a pixel that is completely ink.
const INK: u8 = 16;

/// The data. `examples/data/README.md` has their source and the format of a line.
static FILE: &[u8] = include_bytes!("../data/digits.csv.gz");

/// Pictures of digits, and the true digits.
pub(crate) struct Digits {
    /// Digits x PIXELS, from 0 (paper) to 1 (ink).
    pub(crate) pixels: Array2<f32>,
    /// The true digits, 0 to 9.
    pub(crate) labels: Vec<u8>,
}

impl Digits {
    /// Reads the embedded file.
    pub(crate) fn load() -> io::Result<Self> {
        let mut pixels = Array2::zeros((0, PIXELS));
        let mut labels = Vec::new();
        for (number, line) in BufReader::new(GzDecoder::new(FILE)).lines().enumerate() {
            let (digit, label) = parse(&line?).ok_or_else(|| {
                let message = format!("digits.csv.gz, line {}: expected {PIXELS} pixels and a label", number + 1);
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
            pixels.push_row((&digit).into()).map_err(io::Error::other)?;
            labels.push(label);
        }
        Ok(Self { pixels, labels })
    }

    /// Shuffles every class and takes `test_share` of it for the test: the rows of `(train, test)`.
    pub(crate) fn split_rows(&self, test_share: f64, rng: &mut impl Rng) -> (Vec<usize>, Vec<usize>) {
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for class in 0..CLASSES {
            let of_class = |&row: &usize| usize::from(self.labels[row]) == class;
            let mut rows: Vec<usize> = (0..self.labels.len()).filter(of_class).collect();
            rows.shuffle(rng);
            let for_test = (rows.len() as f64 * test_share).round() as usize;
            let (chosen, rest) = rows.split_at(for_test);
            test.extend_from_slice(chosen);
            train.extend_from_slice(rest);
        }
        (train, test)
    }

    /// These rows.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self { pixels: self.pixels.select(Axis(0), rows), labels: rows.iter().map(|&row| self.labels[row]).collect() }
    }
}

/// One line of the file: the pixels, scaled to 0..=1, then the label. `None` if it is anything else.
fn parse(line: &str) -> Option<([f32; PIXELS], u8)> {
    let mut values = line.split(',').map(|value| value.trim().parse::<u8>().ok());
    let mut digit = [0.0; PIXELS];
    for pixel in &mut digit {
        let value = values.next()??;
        *pixel = (value <= INK).then(|| f32::from(value) / f32::from(INK))?;
    }
    let label = values.next()??;
    (usize::from(label) < CLASSES && values.next().is_none()).then_some((digit, label))
}
