//! The losses: categorical cross-entropy by hand, as a class, and together with softmax; and accuracy.

use ndarray::{Array2, array};
use wgpu_mlp::layers::{CategoricalCrossEntropy, Softmax, SoftmaxCrossEntropy};
use wgpu_mlp::{Targets, ops};

use crate::Result;
use crate::figures::{Walk, in_f64, roundings};
use crate::layers::{matrix, rows};

/// The class of each of the three samples, as ids.
const CLASSES: [u8; 3] = [0, 1, 1];

/// The class of each of the three samples, one-hot.
fn one_hot() -> Array2<f32> {
    array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
}

/// Both forms of the targets on the device, with the names of the forms.
fn targets(walk: &Walk) -> Result<[(&'static str, Targets); 2]> {
    let ids = Targets::classes(walk.device(), &CLASSES, 3)?;
    Ok([("ids", ids), ("one-hot", Targets::distributions(walk.device(), one_hot().view())?)])
}

/// The results of softmax for three samples.
fn outputs() -> Array2<f64> {
    array![[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]]
}

/// L = -Σ_c y_c ln p_c. With a one-hot y only the target's term remains: L = -ln p_t.
pub fn cross_entropy_by_hand(walk: &mut Walk) -> Result<()> {
    walk.section("Categorical cross-entropy by hand", "L = -Σ_c y_c ln p_c = -ln p_t")?;
    let (output, target): ([f64; 3], [f64; 3]) = ([0.7, 0.1, 0.2], [1.0, 0.0, 0.0]);
    let loss = -output.iter().zip(target).map(|(p, y)| y * p.ln()).sum::<f64>();
    walk.printed("-Σ y ln p", &["0.35667494393873245"], &[loss], in_f64)?;
    walk.printed("-ln 0.7", &["0.35667494393873245"], &[-0.7f64.ln()], in_f64)?;

    let probs = matrix(walk, &array![[0.7, 0.1, 0.2]])?;
    let losses = ops::nll(&probs, &Targets::classes(walk.device(), &[0u8], 3)?)?.to_array()?;
    walk.printed("ops::nll", &["0.35667494393873245"], &[losses[[0, 0]]], walk.precision().log())
}

/// The confidence in the right class: p[r, t_r] with ids, Σ_c p[r, c] y[r, c] with a one-hot mask.
pub fn confidences(walk: &mut Walk) -> Result<()> {
    walk.section("Confidences", "p[r, t_r] for ids, Σ_c p[r, c] y[r, c] for one-hot rows")?;
    let probs = matrix(walk, &outputs())?.to_array()?;
    for (form, targets) in targets(walk)? {
        let ids = targets.to_classes()?;
        let picked: Vec<f32> = ids.iter().enumerate().map(|(r, &t)| probs[[r, t as usize]]).collect();
        // 0.7 and 0.9 are no f32: they round once, on their way in.
        walk.printed(&format!("picked by class, {form}"), &["0.7", "0.5", "0.9"], &picked, roundings(1))?;
    }
    let masked = (&probs * &one_hot()).sum_axis(ndarray::Axis(1)).to_vec();
    walk.printed("picked by the mask", &["0.7", "0.5", "0.9"], &masked, roundings(1))
}

/// `Loss_CategoricalCrossentropy`: a loss for each sample, and `Loss.calculate`, their mean.
pub fn row_losses(walk: &mut Walk) -> Result<()> {
    walk.section("Loss_CategoricalCrossentropy", "losses = -ln p[r, t_r]; data loss = their mean")?;
    let by_hand = [0.7f64, 0.5, 0.9].map(|p| -p.ln());
    let mean = by_hand.iter().sum::<f64>() / 3.0;
    walk.printed("-ln [0.7, 0.5, 0.9]", &["0.35667494", "0.69314718", "0.10536052"], &by_hand, in_f64)?;
    walk.printed("their mean", &["0.38506088005216804"], &[mean], in_f64)?;

    let (loss, probs) = (CategoricalCrossEntropy::new(), matrix(walk, &outputs())?);
    for (form, targets) in targets(walk)? {
        let losses = loss.forward(&probs, &targets)?.to_array()?;
        let figures = ["0.35667494", "0.69314718", "0.10536052"];
        walk.printed(&format!("forward, {form}"), &figures, &losses.column(0).to_vec(), walk.precision().log())?;

        // A mean of errors is the error of the mean: `log` is linear in the loss. Adding three rounds twice.
        let (log, sums) = (walk.precision().log(), roundings(2));
        let mean = loss.calculate(&probs, &targets)?;
        walk.printed(&format!("calculate, {form}"), &["0.38506088005216804"], &[mean], |m| log(m) + sums(m))?;
    }
    Ok(())
}

/// -ln 0 is infinite, and one such sample would make the mean infinite too. So p is clipped to 1e-7 ..= 1 - 1e-7: from
/// below for the logarithm, and from above so that the mean is not pulled to one side.
pub fn clipping(walk: &mut Walk) -> Result<()> {
    walk.section("Clipping", "-ln clip(p, ε, 1 - ε), ε = 1e-7; dp = -y / p / samples")?;
    let figures = ["16.11809565095832", "1.0000000494736474e-07"];
    for (p, figure) in [0.0f64, 1.0].into_iter().zip(figures) {
        // 1 - 1e-7 rounds to a multiple of 2⁻⁵³, which is a coarse step beside its logarithm of 1e-7.
        let lost = |loss| in_f64(loss) + f64::EPSILON / 2.0;
        let by_hand = -p.clamp(ops::CLIP, 1.0 - ops::CLIP).ln();
        walk.printed(&format!("-ln clip({p})"), &[figure], &[by_hand], lost)?;
    }

    let (loss, probs) = (CategoricalCrossEntropy::new(), matrix(walk, &array![[0.0, 1.0], [0.0, 1.0]])?);
    let targets = Targets::classes(walk.device(), &[0u8, 1], 2)?;
    let losses = loss.forward(&probs, &targets)?.to_array()?.column(0).to_vec();
    // In f32 the step below 1 is 2⁻²⁴: there 1 - 1e-7 becomes 1 - 1.19e-7.
    for ((p, figure), loss) in [0, 1].into_iter().zip(figures).zip(losses) {
        walk.printed(&format!("forward, p = {p}"), &[figure], &[loss], walk.precision().log())?;
    }

    // dp = -y / p / samples would be -1 / 0 here; with p clipped it is -1e7 / 2. The clipped p and its
    // product with the number of samples round before the quotient is taken.
    let lost = walk.precision().quotient(2);
    let dprobs = rows(&loss.backward(&probs, &targets)?)?;
    let wants = [[-1.0 / ops::CLIP / 2.0, 0.0], [0.0, -1.0 / (1.0 - ops::CLIP) / 2.0]];
    for ((want, got), name) in wants.iter().zip(&dprobs).zip(["backward, p = 0", "backward, p = 1"]) {
        walk.worked(name, want, got, &lost)?;
    }
    Ok(())
}

/// The share of samples whose largest output stands at their class: mean(argmax(p) == t).
pub fn accuracy(walk: &mut Walk) -> Result<()> {
    walk.section("Accuracy", "mean(argmax_c p[r, c] = t_r)")?;
    let probs = matrix(walk, &array![[0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0.02, 0.9, 0.08]])?;
    let predictions: Vec<f64> = ops::argmax(&probs)?.to_classes()?.into_iter().map(f64::from).collect();
    walk.worked("argmax", &[1.0, 0.0, 1.0], &predictions, roundings(0))?;
    for (form, targets) in targets(walk)? {
        // Counting is exact, and the quotient is taken in f64 as the notebook takes it.
        let accuracy = ops::accuracy(&probs, &targets)?;
        walk.printed(&format!("accuracy, {form}"), &["0.3333333333333333"], &[accuracy], in_f64)?;
    }
    Ok(())
}

/// `Activation_Softmax_Loss_CategoricalCrossentropy`. Written out, the Jacobian times the loss's gradient is
/// dx_i = Σ_j p_j (1[i = j] - p_i) (-y_j / p_j) = -y_i + p_i Σ_j y_j = p_i - y_i: no Jacobian, no quotient.
pub fn softmax_and_loss(walk: &mut Walk) -> Result<()> {
    walk.section("Softmax and loss in one", "dx = (p - y) / samples")?;
    let figures = [
        ["-0.1", "0.03333333", "0.06666667"],
        ["0.03333333", "-0.16666667", "0.13333333"],
        ["0.00666667", "-0.03333333", "0.02666667"],
    ];
    // softmax(ln p) = p, as Σp = 1: these logits give the notebook's outputs.
    let logits = outputs().mapv(f64::ln);
    let logits_here = matrix(walk, &logits)?;
    let probs = Softmax::new().forward(&logits_here)?;
    let row_logits: Vec<Vec<f64>> = logits.rows().into_iter().map(|row| row.to_vec()).collect();
    for (row, (want, got)) in outputs().rows().into_iter().zip(rows(&probs)?).enumerate() {
        walk.worked(
            &format!("softmax(ln p)[{row}]"),
            &want.to_vec(),
            &got,
            walk.precision().softmax(&row_logits[row]),
        )?;
    }
    for (form, targets) in targets(walk)? {
        let mut combined = SoftmaxCrossEntropy::new();
        let loss = combined.forward(&logits_here, &targets)?;
        // The last row reaches widest, from ln 0.02 to ln 0.9. What it may lose, no row's loss exceeds, and so no mean.
        let lost = walk.precision().softmax_loss(&row_logits[2]);
        walk.printed(&format!("forward, {form}"), &["0.38506088005216804"], &[loss], lost)?;

        let at_once = rows(&combined.backward()?)?;
        let dprobs = CategoricalCrossEntropy::new().backward(&matrix(walk, &outputs())?, &targets)?;
        let two_steps = rows(&ops::softmax_backward(&probs, &dprobs)?)?;
        for (row, figures) in figures.iter().enumerate() {
            let lost = gradient_lost(walk.precision().softmax(&row_logits[row]));
            walk.printed(&format!("backward, {form}[{row}]"), figures, &at_once[row], &lost)?;
            walk.printed("  the same in two steps", figures, &two_steps[row], &lost)?;
        }
    }
    Ok(())
}

/// The largest error of dx = (p - y) / 3, in one step or in two, if that of p is `softmax(p)`.
///
/// Where y = 0, dx = p/3: all is in proportion to p. At the target dx = (p - 1)/3, which is negative: p = 1 + 3dx, and
/// roundings are in proportion to the 1. In two steps dx_i = p_i (dp_i - Σ dp_j p_j): p enters twice, and there are no
/// more than 12 roundings, division by p and by 3 included.
fn gradient_lost(softmax: impl Fn(f64) -> f64) -> impl Fn(f64) -> f64 {
    let twelve = roundings(12);
    move |dx| {
        let (p, scale) = if dx < 0.0 { (1.0 + 3.0 * dx, 1.0) } else { (3.0 * dx, 3.0 * dx) };
        (2.0 * softmax(p) + twelve(scale)) / 3.0
    }
}
