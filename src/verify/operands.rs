//! Operands made from a case's inputs: on a device for the op, and in f64 for the reference.

use ndarray::Array2;

use super::inputs::Inputs;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::targets::Targets;

/// The matrices on the device.
pub(super) fn uploaded(device: &Device, inputs: &Inputs) -> Result<Vec<Matrix>> {
    inputs.matrices.iter().map(|matrix| Matrix::from_array(device, matrix.view())).collect()
}

/// The targets of [`supervised`](super::inputs::supervised) inputs on the device.
pub(super) fn targets(device: &Device, inputs: &Inputs, distributions: bool) -> Result<Targets> {
    match distributions {
        true => Targets::distributions(device, inputs.matrices[1].view()),
        false => classes(device, &inputs.classes, inputs.matrices[0].ncols()),
    }
}

/// Class ids on the device. The mark of ignored rows is -100 as i32.
pub(super) fn classes(device: &Device, classes: &[u32], class_count: usize) -> Result<Targets> {
    let labels: Vec<_> = classes.iter().map(|class| *class as i32).collect();
    Targets::classes(device, &labels, class_count)
}

/// The matrices in f64.
pub(super) fn in_f64(inputs: &Inputs) -> Vec<Array2<f64>> {
    inputs.matrices.iter().map(|matrix| matrix.mapv(f64::from)).collect()
}
