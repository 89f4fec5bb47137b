//! Expected results: the reference of one output, with the bound of a device's error.

use ndarray::Array2;

use super::bounds::Bound;

/// The expected values of one output, element by element.
///
/// ```
/// use ndarray::array;
/// let expected = wgpu_mlp::verify::Expected { want: array![[1.0]], bound: array![[1e-6]], likely: array![[1e-7]] };
/// assert_eq!(expected.want.dim(), expected.bound.dim());
/// ```
#[derive(Clone, Debug)]
pub struct Expected {
    /// The f64 reference.
    pub want: Array2<f64>,
    /// The bound: the largest distance that a result may have from the reference.
    pub bound: Array2<f64>,
    /// The likely distance from the reference, for errors of random sign; it is no more than the bound.
    pub likely: Array2<f64>,
}

impl Expected {
    /// Expects these values within these bounds.
    pub(super) fn within(bounds: &Array2<Bound>, want: Array2<f64>) -> Self {
        Expected { bound: bounds.mapv(|bound| bound.most), likely: bounds.mapv(|bound| bound.likely), want }
    }

    /// Expects exactly these values, except that WGSL allows denormals to be flushed to zero.
    pub(super) fn exactly(want: Array2<f64>) -> Self {
        let flush = Bound::FLUSH.most;
        Expected::within(&want.mapv(|want| if want.abs() < flush { Bound::FLUSH } else { Bound::NONE }), want)
    }

    /// Widens the bound of one element.
    pub(super) fn widen(&mut self, element: [usize; 2], by: Bound) {
        let Bound { most, likely } = Bound { most: self.bound[element], likely: self.likely[element] } + by;
        (self.bound[element], self.likely[element]) = (most, likely);
    }
}
