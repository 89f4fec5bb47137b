//! linear_gradients: what a dense layer's parameters get from a backward pass; and the gradients of a model's layers, side
//! by side in one buffer, for one update of all parameters.

use std::sync::Arc;

use super::segments::Segment;
use super::{On, column_sum, dense_backward, fits, linear_backward, matmul_tn, on};
use crate::cpu;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::Buffer;
use crate::gpu::kernels::products::{KSlices, gradient};
use crate::matrix::{Matrix, host_room, part_words};

const OP: &str = "linear_gradients";

/// dW = Xᵀ dY and db = Σ_r dY, for X `rows x inputs` and dY `rows x outputs`: the gradients of a dense layer's parameters,
/// in one pass over dY where that is possible.
///
/// Error: that of [`matmul_tn`], and for the biases at most (rows + 2) u Σ_r |dY|, u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless X and dY have as many rows.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.], [3., 4.]].view())?;
/// let dy = Matrix::from_array(&device, array![[1.], [10.]].view())?;
/// let (dweights, dbiases) = ops::linear_gradients(&x, &dy)?;
/// assert_eq!(dweights.to_array()?, array![[31.], [42.]]);
/// assert_eq!(dbiases.to_array()?, array![[11.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn linear_gradients(x: &Matrix, dy: &Matrix) -> Result<(Matrix, Matrix)> {
    let mut gradients = Gradients::new(x.device(), x.rows(), &[(x.cols(), dy.cols())])?;
    gradients.set(0, x, dy)?;
    gradients.of_pair(x.device(), 0)
}

/// The gradients of a model's layers. Where a binding holds as many words as there are parameters they lie in one buffer,
/// whatever the batch; each layer's product in so many slices as its shape wants, which the update adds up.
#[derive(Debug)]
pub(crate) struct Gradients {
    pairs: Vec<Pair>,
    joined: Option<Arc<Buffer>>,
}

#[derive(Debug)]
struct Pair {
    inputs: usize,
    outputs: usize,
    /// The first of the layer's words in the joined buffer.
    first: usize,
    /// How the product is cut there; none where it has to be computed elsewhere, window by window.
    slicing: Option<KSlices>,
    /// Where nothing is joined.
    apart: Option<(Matrix, Matrix)>,
}

impl Pair {
    /// Words of the weights' gradient, or its slice, with the padding behind them.
    fn weight_words(&self) -> usize {
        part_words(self.inputs, self.outputs)
    }

    /// Words of both gradients, or their slices.
    fn words(&self) -> usize {
        self.weight_words() + part_words(1, self.outputs)
    }

    fn slices(&self) -> usize {
        self.slicing.as_ref().map_or(1, |slicing| slicing.slices)
    }

    /// How many partial sums a bias has.
    fn sums(&self) -> usize {
        self.slicing.as_ref().map_or(1, KSlices::sums)
    }

    /// The layer's words in the joined buffer.
    fn part(&self, joined: &Arc<Buffer>) -> Arc<Buffer> {
        Arc::new(Buffer::part(joined, self.first as u64, (self.slices() * self.words()) as u64))
    }

    /// Both gradients as they lie in these buffers.
    fn views(&self, device: &Device, weights: &Arc<Buffer>, biases: &Arc<Buffer>) -> (Matrix, Matrix) {
        let view = |whole: &Arc<Buffer>, first: usize, rows: usize, cols: usize| {
            Matrix::on_gpu(device, rows, cols, Buffer::part(whole, first as u64, (rows * cols) as u64))
        };
        (view(weights, 0, self.inputs, self.outputs), view(biases, self.weight_words(), 1, self.outputs))
    }
}

impl Gradients {
    /// For a batch of `rows` and layers of so many inputs and outputs.
    pub fn new(device: &Device, rows: usize, shapes: &[(usize, usize)]) -> Result<Self> {
        let pair = |(inputs, outputs): &(usize, usize)| {
            let context = device.context();
            let slicing = context.and_then(|gpu| KSlices::of_gradient(gpu, rows, *inputs, *outputs));
            Pair { inputs: *inputs, outputs: *outputs, first: 0, slicing, apart: None }
        };
        let mut pairs: Vec<Pair> = shapes.iter().map(pair).collect();
        let room = device.context().map_or(0, |gpu| gpu.binding_words());
        let words = |pairs: &[Pair]| pairs.iter().map(|pair| pair.slices() * pair.words()).sum::<usize>();
        if words(&pairs) as u64 > room {
            let whole = |slicing: &mut KSlices| *slicing = slicing.uncut(rows);
            pairs.iter_mut().flat_map(|pair| &mut pair.slicing).for_each(whole);
        }
        let words = words(&pairs);
        let joined = match device.context() {
            Some(gpu) if words as u64 <= room => Some(Arc::new(gpu.buffer("gradients", 1, words)?)),
            _ => None,
        };
        let mut first = 0;
        for pair in &mut pairs {
            pair.first = first;
            first += pair.slices() * pair.words();
        }
        Ok(Gradients { pairs, joined })
    }

    /// Records one layer's gradients, from its input and the gradient of its output.
    pub fn set(&mut self, index: usize, x: &Matrix, dy: &Matrix) -> Result<()> {
        fits(OP, "left rows must equal right rows", x, dy, x.rows() == dy.rows())?;
        let pair = &mut self.pairs[index];
        let (rows, inputs, outputs) = (x.rows(), pair.inputs, pair.outputs);
        match (on(OP, [x, dy])?, &self.joined, &pair.slicing) {
            (On::Cpu([x_values, dy_values]), ..) => {
                host_room::<f32>(OP, inputs, outputs)?;
                let (dw, db) = cpu::linear_gradients(x_values, dy_values);
                pair.apart = Some((Matrix::on_cpu(x.device(), dw), Matrix::on_cpu(x.device(), db)));
            }
            (On::Gpu(gpu, [x, dy]), Some(joined), Some(slicing)) => {
                let (out, stride, sums_at) = (pair.part(joined), pair.words(), pair.weight_words());
                gradient(x, dy, [rows, inputs, outputs]).record_slices(gpu, slicing, &out, stride, sums_at)?;
            }
            (On::Gpu(gpu, _), joined, _) => {
                let apart = (matmul_tn(x, dy)?, column_sum::column_sum(dy)?);
                match joined {
                    Some(joined) => {
                        let (weights, biases) = pair.views(x.device(), &pair.part(joined), &pair.part(joined));
                        weights.copy_from(gpu, &apart.0)?;
                        biases.copy_from(gpu, &apart.1)?;
                    }
                    None => pair.apart = Some(apart),
                }
            }
        }
        Ok(())
    }

    /// [`Gradients::set`], and the gradient of the sums which a ReLU made the layer's input from.
    pub fn set_and_go_back(&mut self, index: usize, x: &Matrix, dy: &Matrix, weights: &Matrix) -> Result<Matrix> {
        let pair = &self.pairs[index];
        let fit = x.rows() == dy.rows() && weights.shape() == (x.cols(), dy.cols());
        if let (true, On::Gpu(gpu, buffers), Some(joined), Some(slicing)) =
            (fit, on(OP, [x, dy, weights])?, &self.joined, &pair.slicing)
            && slicing.is_plain_both_ways(gpu, x.rows(), pair.inputs, pair.outputs)
        {
            let dims = [x.rows(), pair.inputs, pair.outputs];
            let dx = dense_backward::record(gpu, buffers, dims, &pair.part(joined), pair.weight_words())?;
            return Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), dx));
        }
        self.set(index, x, dy)?;
        linear_backward(dy, weights, x)
    }

    /// The whole gradients of a layer's weights and biases.
    pub fn of_pair(&self, device: &Device, index: usize) -> Result<(Matrix, Matrix)> {
        let pair = &self.pairs[index];
        let (Some(joined), Some(gpu)) = (&self.joined, device.context()) else {
            return pair.apart.clone().ok_or(Error::NoForward { layer: OP });
        };
        let own = pair.part(joined);
        let whole = match pair.slices() {
            1 => own.clone(),
            slices => {
                let sums = Arc::new(gpu.buffer(OP, 1, pair.words())?);
                crate::gpu::kernels::column_sum::reduce_into(gpu, OP, &own, slices, pair.words(), &sums)?;
                sums
            }
        };
        let biases = if pair.sums() == 1 { &own } else { &whole };
        Ok(pair.views(device, &whole, biases))
    }

    /// Whether they lie side by side.
    pub fn are_joined(&self) -> bool {
        self.joined.is_some()
    }

    /// The buffer with all of them, and its segments in the order of the parameters, counted in fours; none where they lie
    /// apart.
    pub(super) fn segments(&self) -> Option<(&Buffer, Vec<Segment>)> {
        let joined = self.joined.as_ref()?;
        let mut segments = Vec::with_capacity(2 * self.pairs.len());
        let mut end = 0;
        for pair in &self.pairs {
            let (weight_words, stride) = (pair.weight_words(), pair.words());
            let weights = (0, weight_words, pair.slices(), pair.inputs * pair.outputs);
            for (at, next, slices, words) in [weights, (weight_words, stride, pair.sums(), pair.outputs)] {
                // Parts begin and end at multiples of four.
                let gradient = ((pair.first + at) as u32 / 4).wrapping_sub(end);
                let filled = 4 * end + words as u32;
                end += (next - at) as u32 / 4;
                segments.push(Segment::new(end, gradient, stride as u32 / 4, slices as u32, filled));
            }
        }
        Some((joined, segments))
    }
}
