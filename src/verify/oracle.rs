//! What the ops should give, written down once more from their definitions, in f64: nothing here is shared with what either
//! path computes by, so that a formula that is wrong there is wrong beside this.

use ndarray::{Array2, Zip};

/// Probabilities are clipped to [CLIP, 1 - CLIP].
const CLIP: f64 = 1e-7;
/// What is added to the norm that gradients are clipped by, as in PyTorch's `clip_grad_norm_`.
const NORM_EPSILON: f64 = 1e-6;

/// A sum whose rounding errors are summed, too (Neumaier, 1974): as if added in twice the digits.
pub(super) fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for term in terms {
        let next = sum + term;
        lost += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        sum = next;
    }
    if sum.is_finite() { sum + lost } else { sum }
}

/// The sum of each column.
pub(super) fn column_sum(x: &Array2<f64>) -> Array2<f64> {
    let sums = x.columns().into_iter().map(|column| sum(column.iter().copied())).collect();
    Array2::from_shape_vec((1, x.ncols()), sums).unwrap_or_default()
}

/// a · b, with sums of twice the digits: products of f32 are exact in f64.
pub(super) fn product(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let (mut sums, mut lost) =
        (Array2::<f64>::zeros((a.nrows(), b.ncols())), Array2::<f64>::zeros((a.nrows(), b.ncols())));
    for (step, column) in a.columns().into_iter().enumerate() {
        let row = b.row(step);
        for ((mut sums, mut lost), left) in sums.rows_mut().into_iter().zip(lost.rows_mut()).zip(column) {
            Zip::from(&mut sums).and(&mut lost).and(&row).for_each(|sum, lost, right| {
                // Knuth's sum of two numbers and its error, whichever is larger.
                let (before, term) = (*sum, left * right);
                *sum += term;
                let taken = *sum - before;
                *lost += (before - (*sum - taken)) + (term - taken);
            });
        }
    }
    // Where a sum is not finite, what was lost is not a number.
    sums.zip_mut_with(&lost, |sum, lost| {
        if sum.is_finite() {
            *sum += lost;
        }
    });
    sums
}

/// max(x, 0), and NaN for NaN.
pub(super) fn relu(x: f64) -> f64 {
    if x > 0.0 || x.is_nan() { x } else { 0.0 }
}

/// 1 where x is above 0, else 0.
pub(super) fn relu_mask(x: f64) -> f64 {
    if x > 0.0 { 1.0 } else { 0.0 }
}

/// The first column that holds the maximum; the first NaN where there is one.
pub(super) fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (c, x) in row.iter().enumerate() {
        if row[best].is_nan() {
            break;
        }
        if x.is_nan() || *x > row[best] {
            best = c;
        }
    }
    best
}

/// A row's maximum, and the sum of exp(x - maximum); none where softmax does not exist.
fn peak(row: &[f64]) -> Option<(f64, f64)> {
    let top = row[argmax(row)];
    top.is_finite().then(|| (top, sum(row.iter().map(|x| (x - top).exp()))))
}

fn by_row(x: &Array2<f64>, change: impl Fn(&[f64]) -> Vec<f64>) -> Array2<f64> {
    let values = x.rows().into_iter().flat_map(|row| change(&row.to_vec())).collect();
    Array2::from_shape_vec(x.dim(), values).unwrap_or_default()
}

/// exp(x) / Σ exp(x), by rows.
pub(super) fn softmax(x: &Array2<f64>) -> Array2<f64> {
    by_row(x, |row| match peak(row) {
        Some((top, sum)) => row.iter().map(|x| (x - top).exp() / sum).collect(),
        None => vec![f64::NAN; row.len()],
    })
}

/// ln(exp(x) / Σ exp(x)), by rows.
pub(super) fn log_softmax(x: &Array2<f64>) -> Array2<f64> {
    by_row(x, |row| match peak(row) {
        Some((top, sum)) => row.iter().map(|x| (x - top) - sum.ln()).collect(),
        None => vec![f64::NAN; row.len()],
    })
}

/// Jᵀ dp, J softmax's Jacobian, diag(p) - p pᵀ.
pub(super) fn softmax_backward(p: &Array2<f64>, dp: &Array2<f64>) -> Array2<f64> {
    let dots: Vec<f64> =
        p.rows().into_iter().zip(dp.rows()).map(|(p, dp)| sum(p.iter().zip(dp).map(|(p, dp)| p * dp))).collect();
    Array2::from_shape_fn(p.dim(), |(r, c)| p[[r, c]] * dp[[r, c]] - p[[r, c]] * dots[r])
}

/// What a loss's rows should be: q, the mass of each class, as the caller defines it.
pub(super) struct Masses {
    /// rows x classes.
    pub q: Array2<f64>,
    /// Whether losses look at all classes: by distributions and smoothed ids. Else at the row's class alone.
    pub whole: bool,
    /// Each row's class: its id, or its distribution's first maximum.
    pub class: Vec<usize>,
    /// Each row's weight in a mean; none for rows that count for nothing.
    pub weights: Vec<Option<f64>>,
    /// What gradients are divided by; infinity where there is nothing to divide.
    pub divisor: f64,
}

impl Masses {
    fn counts(&self, r: usize) -> bool {
        self.weights[r].is_some()
    }
}

/// Σ q · -ln clip(p), by rows, over the classes that are looked at; 0 for rows that count for nothing.
pub(super) fn nll(p: &Array2<f64>, masses: &Masses) -> Array2<f64> {
    let surprise = |p: f64| if p.is_nan() { p } else { -p.clamp(CLIP, 1.0 - CLIP).ln() };
    Array2::from_shape_fn((p.nrows(), 1), |(r, _)| {
        let looked_at = |c: &usize| masses.whole || *c == masses.class[r];
        let terms = (0..p.ncols()).filter(looked_at).map(|c| masses.q[[r, c]] * surprise(p[[r, c]]));
        if masses.counts(r) { sum(terms) } else { 0.0 }
    })
}

/// -q / clip(p) / divisor.
pub(super) fn nll_backward(p: &Array2<f64>, masses: &Masses) -> Array2<f64> {
    Array2::from_shape_fn(p.dim(), |(r, c)| {
        let q = masses.q[[r, c]];
        if !masses.counts(r) || q == 0.0 {
            return 0.0;
        }
        let p = p[[r, c]];
        if p.is_nan() { p } else { -q / p.clamp(CLIP, 1.0 - CLIP) / masses.divisor }
    })
}

/// What softmax and cross-entropy give together.
pub(super) struct Head {
    /// rows x 1: Σ q · -ln p.
    pub losses: Array2<f64>,
    /// rows x classes: (p Σ q - q) / divisor.
    pub dlogits: Array2<f64>,
    /// Rows whose first maximum is their class.
    pub correct: Vec<bool>,
}

/// Softmax and cross-entropy of these logits.
pub(super) fn head(x: &Array2<f64>, masses: &Masses) -> Head {
    let (p, log_p) = (softmax(x), log_softmax(x));
    let exists = |r: usize| !p[[r, 0]].is_nan();
    let losses = Array2::from_shape_fn((x.nrows(), 1), |(r, _)| match (masses.counts(r), exists(r)) {
        (false, _) => 0.0,
        (true, false) => f64::NAN,
        (true, true) => {
            let terms = masses.q.row(r).into_iter().zip(log_p.row(r)).filter(|(q, _)| **q != 0.0);
            sum(terms.map(|(q, log_p)| q * -log_p))
        }
    });
    let totals: Vec<f64> = masses.q.rows().into_iter().map(|q| sum(q.iter().copied())).collect();
    let dlogits = Array2::from_shape_fn(x.dim(), |(r, c)| match (masses.counts(r), exists(r)) {
        (false, _) => 0.0,
        (true, false) => f64::NAN,
        (true, true) => (p[[r, c]] * totals[r] - masses.q[[r, c]]) / masses.divisor,
    });
    let hit = |r: usize| masses.counts(r) && exists(r) && argmax(&x.row(r).to_vec()) == masses.class[r];
    Head { losses, dlogits, correct: (0..x.nrows()).map(hit).collect() }
}

/// min(1, limit / (norm + ε)) for the norm of all gradients together.
pub(super) fn clip_scale(gradients: &[Array2<f64>], limit: f64) -> f64 {
    let norm = sum(gradients.iter().flatten().map(|x| x * x)).sqrt();
    let scale = limit / (norm + NORM_EPSILON);
    if scale > 1.0 { 1.0 } else { scale }
}

/// Whether dropout keeps an element.
pub(super) fn keeps(rate: f32, seed: u64, counter: u64, element: u64) -> bool {
    f64::from(draw(seed, counter, element)) >= (f64::from(rate) * 4_294_967_296.0).floor()
}

/// What dropout draws for an element, out of 2^32: pcg4d (Jarzynski and Olano, 2020, "Hash Functions for GPU Rendering", listing
/// 8) of seed and counter, low words first; its words, with the element's number in the first two, hashed again; and the first
/// word of that.
pub(super) fn draw(seed: u64, counter: u64, element: u64) -> u32 {
    let halves = |number: u64| [number as u32, (number >> 32) as u32];
    let ([s0, s1], [c0, c1], [e0, e1]) = (halves(seed), halves(counter), halves(element));
    let [k0, k1, k2, k3] = pcg4d([s0, s1, c0, c1]);
    let [draw, ..] = pcg4d([k0 ^ e0, k1 ^ e1, k2, k3]);
    draw
}

/// The hash of four words, as published.
fn pcg4d(v: [u32; 4]) -> [u32; 4] {
    let modulus = 1u64 << 32;
    let of = |wide: u64| (wide % modulus) as u32;
    let product = |a: u32, b: u32| of(u64::from(a) * u64::from(b));
    let plus = |a: u32, b: u32| of(u64::from(a) + u64::from(b));
    let [mut x, mut y, mut z, mut w] = v.map(|word| plus(product(word, 1_664_525), 1_013_904_223));
    for round in 0..2 {
        x = plus(x, product(y, w));
        y = plus(y, product(z, x));
        z = plus(z, product(x, y));
        w = plus(w, product(y, z));
        if round == 0 {
            [x, y, z, w] = [x, y, z, w].map(|word| word ^ (word >> 16));
        }
    }
    [x, y, z, w]
}

/// One parameter's gradient as a rule takes it: clipped by `scale`, with the slopes of l1 |w| and l2 w².
pub(super) fn slope(w: f64, dw: f64, scale: f64, [l1, l2]: [f64; 2]) -> f64 {
    let sign = if w > 0.0 {
        1.0
    } else if w < 0.0 {
        -1.0
    } else {
        0.0
    };
    scale * dw + l1 * sign + 2.0 * l2 * w
}

/// The rules, for one parameter: w, its slope g, what the rule keeps, and the numbers in the order of its definition.
pub(super) mod steps {
    /// w - η g.
    pub fn sgd(w: &mut f64, g: f64, rate: f64) {
        *w -= rate * g;
    }

    /// v = μ v + g; w - η v, or w - η (g + μ v) after Nesterov: PyTorch's `SGD`.
    pub fn momentum(w: &mut f64, g: f64, v: &mut f64, [rate, mu]: [f64; 2], nesterov: bool) {
        *v = mu * *v + g;
        *w -= rate * if nesterov { g + mu * *v } else { *v };
    }

    /// s = s + g²; w - η g / (√s + ε): Duchi and others, 2011, as in PyTorch's `Adagrad`.
    pub fn adagrad(w: &mut f64, g: f64, s: &mut f64, [rate, epsilon]: [f64; 2]) {
        *s += g * g;
        *w -= rate * g / (s.sqrt() + epsilon);
    }

    /// s = α s + (1 - α) g²; w - η g / (√s + ε): Tieleman and Hinton, 2012, as in PyTorch's `RMSprop`.
    pub fn rmsprop(w: &mut f64, g: f64, s: &mut f64, [rate, alpha, epsilon]: [f64; 3]) {
        *s = alpha * *s + (1.0 - alpha) * g * g;
        *w -= rate * g / (s.sqrt() + epsilon);
    }

    /// Kingma and Ba, 2015, algorithm 1, step t; before it the decay of Loshchilov and Hutter, 2019, algorithm 2.
    pub fn adam(w: &mut f64, g: f64, [m, v]: [&mut f64; 2], [rate, beta1, beta2, epsilon, decay]: [f64; 5], t: i32) {
        *w -= rate * decay * *w;
        *m = beta1 * *m + (1.0 - beta1) * g;
        *v = beta2 * *v + (1.0 - beta2) * g * g;
        let (mean, square) = (*m / (1.0 - beta1.powi(t)), *v / (1.0 - beta2.powi(t)));
        *w -= rate * mean / (square.sqrt() + epsilon);
    }
}
