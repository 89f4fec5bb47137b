//! The gradients: the whole network once forward and once backward.

use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use wgpu_mlp::layers::Init;
use wgpu_mlp::{Targets, ops};

use crate::Result;
use crate::figures::{U, Walk};
use crate::layers::{column_sum, matrix};
use crate::network::{CLASSES, Network, gradients, largest, spiral, wide};

/// The whole network once forward and once backward, each gradient against the same formulas in f64.
pub fn forward_and_backward(walk: &mut Walk) -> Result<()> {
    walk.section("Forward and backward", "loss near ln 3; dW1, db1, dW2, db2 by the chain rule")?;
    let mut rng = ChaCha12Rng::seed_from_u64(0);
    let (x, classes) = spiral(&mut rng);
    let mut network = Network::new(walk.device(), 3, Init::default(), &mut rng)?;
    let targets = Targets::classes(walk.device(), &classes, CLASSES)?;

    let logits = network.forward(&matrix(walk, &x)?)?;
    let loss = network.loss.forward(&logits, &targets)?;
    // All p lie between e^-2s / 3 and e^2s / 3, as above, and so -ln p within 2s of ln 3.
    let s = largest(&wide(&logits)?);
    let rounded = walk.precision().softmax_loss(&[s, -s, 0.0]);
    walk.worked("loss, near ln 3", &[3f64.ln()], &[loss], |loss| 2.0 * s + rounded(loss))?;

    let by_hand = ByHand::new(&network, &x, &classes, walk.precision().softmax(&[s, -s, 0.0]))?;
    walk.worked("loss, in f64", &[by_hand.loss], &[loss], |loss| by_hand.lost * loss)?;
    walk.note("accuracy", &ops::accuracy(&network.loss.output()?, &targets)?.to_string())?;

    network.backward()?;
    let [dw1, db1] = gradients(&network.dense1)?;
    let [dw2, db2] = gradients(&network.dense2)?;
    let found = [("dW1", dw1), ("db1", db1), ("dW2", dw2), ("db2", db2)];
    for ((name, found), (want, lost)) in found.into_iter().zip(&by_hand.gradients) {
        let norm = wide(found)?.mapv(|value| value * value).sum().sqrt();
        walk.note(name, &format!("{}x{}, norm {norm:.3e}", found.rows(), found.cols()))?;
        walk.worked_matrix(name, want, found, lost)?;
    }
    Ok(())
}

/// The network's loss and gradients in f64, and what f32 may lose of them.
///
/// Each is a sum over the samples. Its terms carry fewer than 40 roundings each: up to 25 for the probabilities or
/// their logarithms, the others for the products. So it loses at most (samples + 40) U of the same sum over absolute
/// values, in whatever order it is added up. In that sum p - y becomes p + y, and ReLU passes everything. No z of this
/// data is so near 0 that a rounding could move it across.
struct ByHand {
    loss: f64,
    /// The largest error of a sum in f32, relative to the sum of absolute values.
    lost: f64,
    /// dW1, db1, dW2, db2, each with what f32 may lose of its elements.
    gradients: [(Array2<f64>, Array2<f64>); 4],
}

impl ByHand {
    /// `softmax` says what f32 may lose of a probability.
    fn new(network: &Network, x: &Array2<f64>, classes: &[u8], softmax: impl Fn(f64) -> f64) -> Result<Self> {
        let (w1, b1) = (wide(network.dense1.weights())?, wide(network.dense1.biases())?);
        let (w2, b2) = (wide(network.dense2.weights())?, wide(network.dense2.biases())?);
        let samples = x.nrows() as f64;
        let y = Array2::from_shape_fn((x.nrows(), CLASSES), |(r, c)| one_if(usize::from(classes[r]) == c));

        let z = x.dot(&w1) + &b1;
        let hidden = z.mapv(|z| z.max(0.0));
        let exponentials = (hidden.dot(&w2) + &b2).mapv(f64::exp);
        let p = &exponentials / &exponentials.sum_axis(Axis(1)).insert_axis(Axis(1));
        let loss = -(&y * &p.mapv(f64::ln)).sum() / samples;
        let dlogits = (&p - &y) / samples;
        let dz = dlogits.dot(&w2.t()) * z.mapv(|z| one_if(z > 0.0));

        let (ax, aw1, aw2) = (x.mapv(f64::abs), w1.mapv(f64::abs), w2.mapv(f64::abs));
        let adlogits = (&p + &y) / samples;
        let adz = adlogits.dot(&aw2.t());
        let lost = (samples + 40.0) * U;
        // The classes are equally frequent and equally likely, so that hardly anything of db2 remains and its error has
        // to be counted closely: that of p, 3 roundings for (p - y) / samples, and what `ops::column_sum` documents.
        let tree = 2.0 * (20.0 + samples.log2()) * U;
        let db2_lost =
            column_sum(&(p.mapv(softmax) / samples)) + column_sum(&dlogits.mapv(f64::abs)) * (tree + 3.0 * U);
        let gradients = [
            (x.t().dot(&dz), ax.t().dot(&adz) * lost),
            (column_sum(&dz), column_sum(&adz) * lost),
            (hidden.t().dot(&dlogits), ax.dot(&aw1).t().dot(&adlogits) * lost),
            (column_sum(&dlogits), db2_lost),
        ];
        Ok(ByHand { loss, lost, gradients })
    }
}

/// 1 where a condition holds, else 0.
fn one_if(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}
