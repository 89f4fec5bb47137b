//! Checks figures: what the notebook prints, what a device gives, and how far apart the two may be.
//!
//! A figure agrees when |got - want| <= half a unit of the last printed digit + what f32 may lose on the way. An f32 has
//! a mantissa of 24 bits, so each rounding, also that of an input such as 0.7, costs a relative error of at most
//! [`U`] = 2⁻²⁴. A chain of n roundings costs n·U, to first order. [`Precision`] adds what exp, log and division
//! cost, which depends on the device; each check counts its own roundings where it stands.

use std::fmt::Debug;
use std::io::{self, Write};

use ndarray::{Array2, Axis};
use wgpu_mlp::{Device, DeviceKind, Matrix};

use crate::Result;

/// The relative error of one rounding to f32, 2⁻²⁴.
pub const U: f64 = f32::EPSILON as f64 / 2.0;

/// The largest error of a dozen f64 operations: the notebook's own arithmetic, repeated in Rust.
pub fn in_f64(value: f64) -> f64 {
    12.0 * (f64::EPSILON / 2.0) * value.abs()
}

/// The largest error of n roundings to f32.
pub fn roundings(n: usize) -> impl Fn(f64) -> f64 {
    move |value| n as f64 * U * value.abs()
}

/// The accuracy of a device's own functions.
///
/// A CPU's exp and log are within a unit in the last place, 2U. WGSL promises 3 + 2|x| units for exp, 2⁻²¹ (absolute)
/// for log between 0.5 and 2, else 3 units, and 2.5 units for a quotient. Many devices do better.
#[derive(Clone, Copy)]
pub struct Precision {
    wgsl: bool,
}

impl Precision {
    /// The error of -ln p: U from the rounding of p, for d ln p = dp/p; then what the logarithm itself loses.
    pub fn log(self) -> impl Fn(f64) -> f64 {
        let (near_one, units) = if self.wgsl { (2f64.powi(-21), 3.0) } else { (0.0, 1.0) };
        move |loss| U + near_one + 2.0 * U * units * loss.abs()
    }

    /// The error of a quotient of numbers that carry `n` roundings.
    pub fn quotient(self, n: usize) -> impl Fn(f64) -> f64 {
        roundings(n + if self.wgsl { 5 } else { 1 })
    }

    /// The error of softmax over a row of logits x with maximum m.
    ///
    /// By the Jacobian, dp_i = p_i (d_i - Σ_j p_j d_j) where the exponents are off by d, so that |dp_i| is at most
    /// 2 p_i (1 - p_i) max|d|. The sum and the quotient round on top.
    pub fn softmax(self, logits: &[f64]) -> impl Fn(f64) -> f64 + use<> {
        let (off, divided) = (self.exponents(logits), self.quotient(logits.len()));
        move |p| 2.0 * p * (1.0 - p) * off + divided(p)
    }

    /// The error of (m - x_t) + ln Σ exp(x - m), softmax and cross-entropy in one: the first term is an exponent, the
    /// sum is off by as much in proportion, which is absolute in its logarithm, and the additions round.
    pub fn softmax_loss(self, logits: &[f64]) -> impl Fn(f64) -> f64 + use<> {
        let (off, log, sums) = (self.exponents(logits), self.log(), roundings(logits.len()));
        move |loss| 2.0 * off + log(loss) + sums(1.0 + loss)
    }

    /// How far the exponents x - m may be off: x and m round, x - m rounds, and exp's own relative error is as good as
    /// a shift of its argument.
    fn exponents(self, logits: &[f64]) -> f64 {
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let off = |x: &f64| {
            let below = top - x;
            let units = if self.wgsl { 3.0 + 2.0 * below } else { 1.0 };
            U * (x.abs() + top.abs() + below) + 2.0 * U * units
        };
        logits.iter().map(off).fold(0.0, f64::max)
    }
}

/// An expected figure.
struct Want {
    text: String,
    value: f64,
    /// How far from `value` the figure may lie.
    tolerance: f64,
}

/// The walk through the notebook on one device.
pub struct Walk<'a> {
    device: &'a Device,
    checked: usize,
}

impl<'a> Walk<'a> {
    pub fn new(device: &'a Device) -> Self {
        Walk { device, checked: 0 }
    }

    pub fn device(&self) -> &'a Device {
        self.device
    }

    pub fn precision(&self) -> Precision {
        Precision { wgsl: self.device.info().kind != DeviceKind::Cpu }
    }

    /// How many figures have agreed so far.
    pub fn checked(&self) -> usize {
        self.checked
    }

    /// Begins a section of the notebook: its name, and the formula.
    pub fn section(&self, name: &str, formula: &str) -> Result<()> {
        writeln!(io::stdout(), "\n{name}: {formula}")?;
        Ok(())
    }

    /// A line that is not checked.
    pub fn note(&self, name: &str, text: &str) -> Result<()> {
        writeln!(io::stdout(), "  {name:<26} {text}")?;
        Ok(())
    }

    /// Checks figures that the notebook prints; `lost` says what f32 may lose for a value.
    pub fn printed<G: Copy + Debug + Into<f64>>(
        &mut self,
        name: &str,
        figures: &[&str],
        got: &[G],
        lost: impl Fn(f64) -> f64,
    ) -> Result<()> {
        let want = |text: &&str| -> Result<Want> {
            let value: f64 = text.parse()?;
            Ok(Want { text: text.to_string(), value, tolerance: half_unit(text) + lost(value) })
        };
        self.check(name, &figures.iter().map(want).collect::<Result<Vec<Want>>>()?, got)
    }

    /// Checks figures that are worked out in f64.
    pub fn worked<G: Copy + Debug + Into<f64>>(
        &mut self,
        name: &str,
        figures: &[f64],
        got: &[G],
        lost: impl Fn(f64) -> f64,
    ) -> Result<()> {
        let want = |&value: &f64| Want { text: format!("{:?}", value as f32), value, tolerance: lost(value) };
        self.check(name, &figures.iter().map(want).collect::<Vec<Want>>(), got)
    }

    /// Checks a matrix row by row against one worked out in f64, with a tolerance for each element.
    pub fn worked_matrix(&mut self, name: &str, want: &Array2<f64>, got: &Matrix, lost: &Array2<f64>) -> Result<()> {
        let got = got.to_array()?;
        if got.dim() != want.dim() {
            return Err(format!("{name}: expected {:?}, got {:?}", want.dim(), got.dim()).into());
        }
        for (r, row) in want.axis_iter(Axis(0)).enumerate() {
            let wants = row.iter().zip(lost.row(r)).map(|(&value, &tolerance)| {
                let text = format!("{:?}", value as f32);
                Want { text, value, tolerance }
            });
            let name = if want.nrows() == 1 { name.into() } else { format!("{name}[{r}]") };
            self.check(&name, &wants.collect::<Vec<Want>>(), &got.row(r).to_vec())?;
        }
        Ok(())
    }

    /// Checks that a figure is below a bound.
    pub fn below(&mut self, name: &str, bound: f64, got: f64) -> Result<()> {
        self.line(name, &format!("< {bound:?}"), &format!("{got:?}"), "", got < bound)?;
        self.checked += 1;
        Ok(())
    }

    /// Checks that there is a figure for each expected one, and that each is within its tolerance.
    fn check<G: Copy + Debug + Into<f64>>(&mut self, name: &str, wants: &[Want], got: &[G]) -> Result<()> {
        // NaN compares false with everything, and so it fails.
        let near = |(want, got): (&Want, &G)| ((*got).into() - want.value).abs() <= want.tolerance;
        let agree = wants.len() == got.len() && wants.iter().zip(got).all(near);

        let expected = list(wants.iter().map(|want| want.text.clone()));
        let alone = got.len() == 1;
        let found = list(got.iter().map(|value| if alone { format!("{value:?}") } else { shown(value) }));
        let widest = wants.iter().map(|want| want.tolerance).fold(0.0, f64::max);
        let within = if widest == 0.0 { "exact".into() } else { format!("±{widest:.0e}") };
        self.line(name, &expected, &found, &within, agree)?;
        self.checked += wants.len();
        Ok(())
    }

    /// Prints a line; an error unless the figures agree.
    fn line(&self, name: &str, expected: &str, found: &str, within: &str, agree: bool) -> Result<()> {
        let verdict = if agree { "ok" } else { "WRONG" };
        writeln!(io::stdout(), "  {name:<26} {expected:<46} {found:<46} {within:<6} {verdict}")?;
        if agree {
            return Ok(());
        }
        Err(format!("{}: expected {expected}; {} gives {found}", name.trim(), self.device.info().name).into())
    }
}

/// An element of an array as NumPy shows it: all that an f32 has, 8 decimals of an f64.
fn shown<G: Debug>(value: &G) -> String {
    let all = format!("{value:?}");
    if all.len() > 16 { format!("{value:.8?}") } else { all }
}

/// One figure as it is, more of them in brackets.
fn list(figures: impl Iterator<Item = String>) -> String {
    let figures: Vec<String> = figures.collect();
    if let [figure] = figures.as_slice() { figure.clone() } else { format!("[{}]", figures.join(", ")) }
}

/// Half a unit of the last digit in a printed figure. NumPy prints arrays to 8 decimals and drops zeros at the end, so
/// that 0.7 stands for 0.70000000.
fn half_unit(figure: &str) -> f64 {
    let (digits, exponent) = figure.split_once('e').unwrap_or((figure, "0"));
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len()).max(8) as i32;
    0.5 * 10f64.powi(exponent.parse::<i32>().unwrap_or(0) - decimals)
}
