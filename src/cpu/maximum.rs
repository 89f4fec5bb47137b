//! The maximum of a row, and its column.

use super::Real;
use super::sum::{LANES, across};

/// The largest number of a row; NaN if the row has a NaN, and -inf if the row is empty.
#[inline(always)]
pub(super) fn maximum<T: Real>(row: &[T]) -> T {
    // A NaN becomes the maximum, since `top >= x` is false for it, and then stays.
    let larger = |top: T, x: T| if top >= x || top.is_nan() { top } else { x };
    if row.len() < LANES {
        return row.iter().fold(T::neg_infinity(), |top, x| larger(top, *x));
    }
    let mut lanes = [T::neg_infinity(); LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (top, x) in lanes.iter_mut().zip(chunk) {
            *top = larger(*top, *x);
        }
    }
    for (top, x) in lanes.iter_mut().zip(rest) {
        *top = larger(*top, *x);
    }
    across(lanes, larger)
}

/// The first column that holds the row's maximum, or the first NaN if there is one, as in NumPy's `argmax`.
#[inline(always)]
pub(super) fn first_maximum<T: Real>(row: &[T]) -> usize {
    let top = maximum(row);
    let first = if top.is_nan() { row.iter().position(|x| x.is_nan()) } else { row.iter().position(|x| *x == top) };
    first.unwrap_or(0)
}

/// The row's maximum, or `None` if the row has no softmax: it contains NaN or +inf, or only -inf.
#[inline(always)]
pub(super) fn softmax_maximum<T: Real>(row: &[T]) -> Option<T> {
    Some(maximum(row)).filter(|top| top.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_is_nan_wherever_a_nan_is() {
        for count in [1, 2, 15, 16, 17, 40] {
            let x: Vec<f32> = (0..count).map(|i| (i * 7 % count) as f32 - 3.0).collect();
            assert_eq!(maximum(&x), (count - 1) as f32 - 3.0);
            for at in 0..count as usize {
                let mut x = x.clone();
                x[at] = f32::NAN;
                assert!(maximum(&x).is_nan(), "NaN at {at} of {count}");
                x[at] = f32::INFINITY;
                assert_eq!(maximum(&x), f32::INFINITY);
            }
        }
        assert_eq!(maximum::<f32>(&[]), f32::NEG_INFINITY);
    }
}
