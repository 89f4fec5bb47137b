//! Update rules of the optimizers, for one parameter w, its gradient g, and the slots that the rule keeps. Each takes its
//! hyperparameters in the order of its definition.

/// The gradient that a rule uses: multiplied by the clip's `scale`, with the gradients of the penalties l1 |w| and l2 w² added.
pub fn penalized_gradient(w: f64, dw: f64, scale: f64, [l1, l2]: [f64; 2]) -> f64 {
    let sign = if w > 0.0 {
        1.0
    } else if w < 0.0 {
        -1.0
    } else {
        0.0
    };
    scale * dw + l1 * sign + 2.0 * l2 * w
}

/// SGD: w - η g.
pub fn sgd(w: &mut f64, g: f64, rate: f64) {
    *w -= rate * g;
}

/// Momentum: v = μ v + g; w - η v, or w - η (g + μ v) after Nesterov, as in PyTorch's `SGD`.
pub fn momentum(w: &mut f64, g: f64, v: &mut f64, [rate, mu]: [f64; 2], nesterov: bool) {
    *v = mu * *v + g;
    *w -= rate * if nesterov { g + mu * *v } else { *v };
}

/// AdaGrad: s = s + g²; w - η g / (√s + ε). Duchi and others, 2011, as in PyTorch's `Adagrad`.
pub fn adagrad(w: &mut f64, g: f64, s: &mut f64, [rate, epsilon]: [f64; 2]) {
    *s += g * g;
    *w -= rate * g / (s.sqrt() + epsilon);
}

/// RMSprop: s = α s + (1 - α) g²; w - η g / (√s + ε). Tieleman and Hinton, 2012, as in PyTorch's `RMSprop`.
pub fn rmsprop(w: &mut f64, g: f64, s: &mut f64, [rate, alpha, epsilon]: [f64; 3]) {
    *s = alpha * *s + (1.0 - alpha) * g * g;
    *w -= rate * g / (s.sqrt() + epsilon);
}

/// Adam, step t: Kingma and Ba, 2015, algorithm 1, after the weight decay of Loshchilov and Hutter, 2019, algorithm 2.
pub fn adam(w: &mut f64, g: f64, [m, v]: [&mut f64; 2], [rate, beta1, beta2, epsilon, decay]: [f64; 5], t: i32) {
    *w *= 1.0 - rate * decay;
    *m = beta1 * *m + (1.0 - beta1) * g;
    *v = beta2 * *v + (1.0 - beta2) * g * g;
    let (mean, square) = (*m / (1.0 - beta1.powi(t)), *v / (1.0 - beta2.powi(t)));
    *w -= rate * mean / (square.sqrt() + epsilon);
}
