//! The gradients of dense layers. The layers and a model's training step use this one backward pass. It writes the gradients of all
//! layers of a step into one buffer, so that one launch can update all parameters.

use std::sync::Arc;

use super::bank::Gradient;
use super::column_sum::column_sum;
use super::linear_backward::linear_backward;
use super::matmul::{matmul_nt, matmul_tn};
use super::operands::{On, fits, on};
use crate::cpu;
use crate::device::Device;
use crate::error::Result;
use crate::gpu::Buffer;
use crate::gpu::bank::{PartialSums, padded};
use crate::gpu::kernels::products::{KSlices, gradient};
use crate::gpu::kernels::{column_sum as sums, software};
use crate::host_memory::host_room;
use crate::matrix::Matrix;

const OP: &str = "linear_gradients";

/// The formula for the gradient of a layer's input, from the gradient of its output and the layer's weights.
#[derive(Clone, Copy)]
pub(crate) enum InputGradient<'a> {
    /// The plain gradient dY Wᵀ.
    Plain(&'a Matrix),
    /// The gradient through the ReLU whose output is the layer's input X: dY Wᵀ where X is positive, else 0.
    ThroughRelu(&'a Matrix),
}

/// The memory for the gradients of a dense layer's parameters.
#[derive(Debug)]
pub(crate) struct GradientRoom {
    device: Device,
    inputs: usize,
    outputs: usize,
    /// The slices of the batch whose partial sums make up the weights' gradient. None on the CPU path, and none if a binding does
    /// not hold the operands: then `matmul_tn` computes the gradient window by window.
    slicing: Option<KSlices>,
    /// The layer's part of the bank; none where there is no bank, and the gradients are matrices of their own.
    part: Option<Arc<Buffer>>,
}

impl GradientRoom {
    /// The memory for one layer, `(inputs, outputs)`, and a batch of `rows`.
    pub fn of_layer(device: &Device, rows: usize, layer: (usize, usize)) -> Result<Self> {
        let mut room = [Self::without_bank(device, rows, layer)];
        share_bank(device, rows, &mut room)?;
        let [room] = room;
        Ok(room)
    }

    /// The memory for several layers. It is one bank if a binding holds one gradient of every parameter, whatever the batch is.
    pub fn of_all(device: &Device, rows: usize, shapes: &[(usize, usize)]) -> Result<Vec<Self>> {
        let mut rooms: Vec<_> = shapes.iter().map(|shape| Self::without_bank(device, rows, *shape)).collect();
        share_bank(device, rows, &mut rooms)?;
        Ok(rooms)
    }

    fn without_bank(device: &Device, rows: usize, (inputs, outputs): (usize, usize)) -> Self {
        let slicing = device.context().and_then(|gpu| KSlices::of_gradient(gpu, rows, inputs, outputs));
        GradientRoom { device: device.clone(), inputs, outputs, slicing, part: None }
    }

    /// The gradients of the parameters, dW = Xᵀ dY and db = Σ_r dY, from the layer's input and the gradient of its output.
    pub fn parameters(&self, x: &Matrix, dy: &Matrix) -> Result<[Gradient; 2]> {
        fits(OP, "left rows must equal right rows", x, dy, x.rows() == dy.rows())?;
        match (on(OP, [x, dy])?, &self.part, &self.slicing) {
            (On::Cpu([x_values, dy_values]), ..) => {
                host_room::<f32>(OP, self.inputs, self.outputs)?;
                let (dw, db) = cpu::linear_gradients(x_values, dy_values);
                Ok([dw, db].map(|values| Gradient::from(&Matrix::on_cpu(x.device(), values))))
            }
            (On::Gpu(gpu, [x_values, dy_values]), Some(part), Some(slicing)) => {
                let product = gradient(x_values, dy_values, [x.rows(), self.inputs, self.outputs]);
                product.record_slices(gpu, slicing, part, self.words(), self.weight_words())?;
                Ok(self.in_bank(part))
            }
            (On::Gpu(gpu, _), part, _) => {
                let apart = [matmul_tn(x, dy)?, column_sum(dy)?];
                let Some(part) = part else { return Ok(apart.each_ref().map(Gradient::from)) };
                let gradients = self.in_bank(part);
                for (from, to) in apart.iter().zip(&gradients) {
                    if let (Some(from), Some(to)) = (from.storage().gpu(), to.matrix().storage().gpu()) {
                        gpu.copy_all(from, to)?;
                    }
                }
                Ok(gradients)
            }
        }
    }

    /// The gradients of [`GradientRoom::parameters`], and the gradient of the layer's input. `first` is called with the gradients of
    /// the parameters, as soon as they are recorded.
    pub fn all(
        &self,
        x: &Matrix,
        dy: &Matrix,
        input: InputGradient<'_>,
        first: impl FnOnce(&[Gradient; 2]) -> Result<()>,
    ) -> Result<([Gradient; 2], Matrix)> {
        let weights = match input {
            InputGradient::Plain(weights) => {
                let gradients = self.parameters(x, dy)?;
                first(&gradients)?;
                return Ok((gradients, matmul_nt(dy, weights)?));
            }
            InputGradient::ThroughRelu(weights) => weights,
        };
        let fit = x.rows() == dy.rows() && weights.shape() == (x.cols(), dy.cols());
        if let (true, On::Gpu(gpu, buffers), Some(part), Some(slicing)) =
            (fit, on(OP, [x, dy, weights])?, &self.part, &self.slicing)
            && slicing.is_plain_both_ways(gpu, x.rows(), self.inputs, self.outputs)
        {
            let dims = [x.rows(), self.inputs, self.outputs];
            let dx = software::dense_backward(gpu, buffers, dims, part, self.weight_words())?;
            let gradients = self.in_bank(part);
            first(&gradients)?;
            return Ok((gradients, Matrix::on_gpu(x.device(), x.rows(), x.cols(), dx)));
        }
        let gradients = self.parameters(x, dy)?;
        first(&gradients)?;
        Ok((gradients, linear_backward(dy, weights, x)?))
    }

    /// The gradients of the weights and of the biases as whole matrices.
    pub fn whole(&self, [weights, biases]: &[Gradient; 2]) -> Result<(Matrix, Matrix)> {
        let (Some(gpu), Some(part), 2..) = (self.device.context(), &self.part, self.slices()) else {
            return Ok((weights.matrix().clone(), biases.matrix().clone()));
        };
        let sums = Arc::new(gpu.buffer(OP, 1, self.words())?);
        sums::reduce_into(gpu, OP, part, self.slices(), self.words(), &sums)?;
        let [weights, whole_biases] = self.in_bank(&sums);
        let biases = if self.bias_sums() == 1 { biases } else { &whole_biases };
        Ok((weights.matrix().clone(), biases.matrix().clone()))
    }

    /// Both gradients as they lie in the layer's part of a bank.
    fn in_bank(&self, part: &Arc<Buffer>) -> [Gradient; 2] {
        let gradient = |first: usize, (rows, cols): (usize, usize), count| {
            let buffer = Buffer::part(part, first as u64, (rows * cols) as u64);
            let matrix = Matrix::on_gpu(&self.device, rows, cols, buffer);
            Gradient::in_bank(matrix, PartialSums { count, stride: self.words() })
        };
        let weights = gradient(0, (self.inputs, self.outputs), self.slices());
        [weights, gradient(self.weight_words(), (1, self.outputs), self.bias_sums())]
    }

    /// Words of the weights' gradient, or a partial sum of it, with its padding.
    fn weight_words(&self) -> usize {
        padded(self.inputs.saturating_mul(self.outputs))
    }

    /// Words of both gradients, or a partial sum of each.
    fn words(&self) -> usize {
        self.weight_words().saturating_add(padded(self.outputs))
    }

    /// The number of partial sums of the weights' gradient.
    fn slices(&self) -> usize {
        self.slicing.as_ref().map_or(1, |slicing| slicing.slices)
    }

    /// The number of partial sums of the biases' gradient.
    fn bias_sums(&self) -> usize {
        self.slicing.as_ref().map_or(1, KSlices::sums)
    }
}

/// Gives each layer its part of one bank, if a binding holds the bank. The bank has room for all partial sums, or, if these are too
/// many, for one sum of each gradient.
fn share_bank(device: &Device, rows: usize, rooms: &mut [GradientRoom]) -> Result<()> {
    let Some(gpu) = device.context() else { return Ok(()) };
    let words_of = |room: &GradientRoom| room.slices().saturating_mul(room.words());
    let all = |rooms: &[GradientRoom]| rooms.iter().map(words_of).fold(0, usize::saturating_add);
    if all(rooms) as u64 > gpu.binding_words() {
        rooms.iter_mut().flat_map(|room| &mut room.slicing).for_each(|slicing| *slicing = slicing.uncut(rows));
    }
    if all(rooms) as u64 > gpu.binding_words() {
        return Ok(());
    }
    let bank = Arc::new(gpu.buffer("gradients", 1, all(rooms))?);
    let mut first = 0;
    for room in rooms {
        let words = words_of(room) as u64;
        room.part = Some(Arc::new(Buffer::part(&bank, first, words)));
        first += words;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    /// Ranks add the gradients of the parameters while that of the input is computed. These weights do not fit, so the gradient of
    /// the input would be an error of its own.
    #[test]
    fn gradients_of_parameters_come_before_that_of_the_input() -> Result<()> {
        let device = Device::cpu();
        let [x, dy, weights] = [(4, 3), (4, 2), (5, 5)].map(|(rows, cols)| Matrix::zeros(&device, rows, cols));
        let (x, dy, weights) = (x?, dy?, weights?);
        let room = GradientRoom::of_layer(&device, 4, (3, 2))?;
        for input in [InputGradient::Plain(&weights), InputGradient::ThroughRelu(&weights)] {
            assert!(matches!(room.all(&x, &dy, input, |_| Ok(())), Err(Error::Shape { .. })));
            let ended = room.all(&x, &dy, input, |_| Err(Error::NoForward { layer: "of a test", call: "backward" }));
            assert!(matches!(ended, Err(Error::NoForward { .. })));
        }
        Ok(())
    }
}
