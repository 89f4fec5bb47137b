//! The comparison of results with expected ones, shared by every test and report.

use std::fmt;

use ndarray::Array2;

use super::expected::Expected;

/// The element whose error is the largest share of its bound.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::verify::{Expected, compare};
/// let (want, bound, likely) = (array![[1.0, 2.0]], array![[0.1, 0.1]], array![[0.02, 0.02]]);
/// let expected = [Expected { want, bound, likely }];
/// assert!(compare(&[array![[1.05, 2.0]]], &expected).passed());
/// assert!(!compare(&[array![[1.05, 2.2]]], &expected).passed());
/// assert!(!compare(&[array![[f32::NAN, 2.0]]], &expected).passed());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worst {
    /// The error as a share of the bound. Up to 1 the result is right. It is infinite if no bound could excuse the difference.
    pub share: f64,
    /// The error as a share of the likely error: about 1 or less on everyday numbers, and more where the inputs give all errors one
    /// sign.
    pub likely: f64,
    /// The index of the output that has the element.
    pub output: usize,
    /// The row and the column of the element.
    pub element: (usize, usize),
    /// The device's value; NaN where the shape was wrong.
    pub got: f32,
    /// The reference.
    pub want: f64,
}

impl Worst {
    /// Whether everything was within its bound.
    pub fn passed(&self) -> bool {
        self.share <= 1.0
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Worst { share, likely, output, element: (row, col), got, want } = self;
        write!(
            f,
            "output {output} [{row}, {col}]: got {got:e}, want {want:e}, {share:.3} of the bound, {likely:.3} of what is likely"
        )
    }
}

/// Compares every output with the expected one. An element is right if `got == want`, or if `want` is finite and `got` is within
/// the bound; NaN is right only if the reference is NaN. Outputs that are missing, too many or of another shape fail.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::verify::{Expected, compare};
/// let (want, bound, likely) = (array![[1.0, 2.0]], array![[0.1, 0.1]], array![[0.02, 0.02]]);
/// let expected = [Expected { want, bound, likely }];
/// assert!(!compare(&[array![[1.0]]], &expected).passed()); // a short buffer
/// assert!(!compare(&[], &expected).passed());
/// ```
pub fn compare(got: &[Array2<f32>], expected: &[Expected]) -> Worst {
    let mut worst = Worst { share: 0.0, likely: 0.0, output: 0, element: (0, 0), got: 0.0, want: 0.0 };
    let infinite = f64::INFINITY;
    let broken =
        |output| Worst { share: infinite, likely: infinite, output, element: (0, 0), got: f32::NAN, want: 0.0 };
    if got.len() != expected.len() {
        return broken(got.len().min(expected.len()));
    }
    for (output, (got, expected)) in got.iter().zip(expected).enumerate() {
        let Expected { want, bound, likely } = expected;
        if [want, bound, likely].iter().any(|expected| got.dim() != expected.dim()) {
            return broken(output);
        }
        for ((element, got), (want, bound)) in got.indexed_iter().zip(want.iter().zip(bound)) {
            let share = share_of(f64::from(*got), *want, *bound);
            if share > worst.share || (output, element) == (0, (0, 0)) {
                let likely = share_of(f64::from(*got), *want, likely[element]);
                worst = Worst { share, likely, output, element, got: *got, want: *want };
            }
        }
    }
    worst
}

/// The error divided by the bound.
fn share_of(got: f64, want: f64, bound: f64) -> f64 {
    if want.is_nan() {
        return if got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got == want {
        return 0.0;
    }
    let error = (got - want).abs();
    // Written so that a NaN or an infinity anywhere fails.
    if want.is_finite() && bound.is_finite() && error.is_finite() && bound > 0.0 {
        error / bound
    } else {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn worst_of(got: f32, want: f64, bound: f64, likely: f64) -> Worst {
        compare(
            &[array![[got]]],
            &[Expected { want: array![[want]], bound: array![[bound]], likely: array![[likely]] }],
        )
    }

    fn share_of(got: f32, want: f64, bound: f64) -> f64 {
        worst_of(got, want, bound, bound).share
    }

    #[test]
    fn the_likely_error_is_told_and_decides_nothing() {
        let worst = worst_of(1.5, 1.0, 1.0, 0.25);
        assert_eq!((worst.share, worst.likely, worst.passed()), (0.5, 2.0, true));
        let worst = worst_of(3.0, 1.0, 1.0, 4.0);
        assert_eq!((worst.share, worst.likely, worst.passed()), (2.0, 0.5, false));
        assert!(!worst_of(f32::NAN, 1.0, 1.0, 1.0).passed());
        let short = Expected { want: array![[1.0]], bound: array![[1.0]], likely: array![[1.0, 1.0]] };
        assert!(!compare(&[array![[1.0]]], &[short]).passed());
    }

    #[test]
    fn accepts_equality_and_what_is_within_the_bound() {
        assert_eq!(share_of(1.0, 1.0, 0.0), 0.0);
        assert_eq!(share_of(1.5, 1.0, 1.0), 0.5);
        assert_eq!(share_of(f32::INFINITY, f64::INFINITY, 0.0), 0.0);
        assert_eq!(share_of(f32::NAN, f64::NAN, 0.0), 0.0);
        assert_eq!(share_of(-0.0, 0.0, 0.0), 0.0);
    }

    #[test]
    fn rejects_everything_else() {
        for (got, want, bound) in [
            (1.0, 2.0, 0.5),
            (1.0, 1.0 + 1e-9, 0.0),
            (f32::NAN, 1.0, 1e30),
            (1.0, f64::NAN, 1e30),
            (1.0, f64::INFINITY, 1e30),
            (1.0, f64::INFINITY, f64::INFINITY),
            (f32::INFINITY, 1.0, 1e30),
            (f32::NEG_INFINITY, f64::INFINITY, f64::INFINITY),
            (1.0, 2.0, f64::INFINITY),
            (1.0, 2.0, f64::NAN),
        ] {
            assert!(share_of(got, want, bound) > 1.0, "{got} passed for {want} within {bound}");
        }
    }

    #[test]
    fn finds_one_wrong_element_among_many_and_short_or_missing_outputs() {
        let want = Array2::from_shape_fn((7, 5), |(r, c)| (r * 5 + c) as f64);
        let expected = [Expected { bound: want.mapv(|_| 1e-3), likely: want.mapv(|_| 1e-4), want }];
        let right = expected[0].want.mapv(|x| x as f32);
        assert!(compare(std::slice::from_ref(&right), &expected).passed());
        for wrong in [f32::NAN, f32::INFINITY, -1.0] {
            let mut got = right.clone();
            got[[3, 2]] = wrong;
            let worst = compare(&[got], &expected);
            assert!(!worst.passed());
            assert_eq!(worst.element, (3, 2));
        }
        assert!(!compare(&[right.slice(ndarray::s![..6, ..]).to_owned()], &expected).passed());
        assert!(!compare(&[], &expected).passed());
        assert!(!compare(&[right.clone(), right], &expected).passed());
    }
}
