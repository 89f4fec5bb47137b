// masses: the masses q of a row's classes, from its target, for kernels that follow PyTorch's CrossEntropyLoss:
//   q[c] = v * w[c] * ((1 - smoothing) * y[c] + smoothing / C)
//   y: the row's one-hot or distribution; w: the class weights; v: the row's own weight; C: the number of classes.
//   The kernel's `Params` has `loss: LossParameters`. The kernel binds `weights`, one for each class, `samples`, one for each row,
//   and `divisor`, by which a mean is divided.
{% include "rows/targets.wgsl" %}

// The share of class c in a row whose id is class_id, or whose distribution begins at start.
fn target_share(class_id: u32, start: u32, c: u32) -> f32 {
  if DISTRIBUTIONS { return bitcast<f32>(targets[start + c]); }
  return select(0.0, 1.0, class_id == c);
}

struct LossParameters {
  smoothing: f32,
  spread: f32,   // smoothing / C
  scale: f32,    // of the gradient, where no divisor is bound
  ignored: u32,  // the class whose rows do not count; a number beyond the classes for none
  marked: u32,   // the id beyond the classes that marks rows that do not count; 0 for none
  weighted: u32, // 1 for yes: a uniform branch costs nothing, and one more variant would have to be compiled
  sampled: u32,
  divided: u32,
}

// Whether a row of this class does not count.
fn is_ignored(class_id: u32, classes: u32) -> bool {
  if DISTRIBUTIONS { return false; }
  return class_id == select(params.loss.marked, params.loss.ignored, class_id < classes);
}

// The mass of class c, without the row's own weight; a distribution begins at start.
fn class_mass(class_id: u32, start: u32, c: u32) -> f32 {
  let share = target_share(class_id, start, c);
  return weight(c) * ((1.0 - params.loss.smoothing) * share + params.loss.spread);
}
{% if kernel == "linear_cross_entropy" %}

// All weights are 1.
fn weight(c: u32) -> f32 {
  return 1.0;
}

fn row_weight(row: u32) -> f32 {
  return 1.0;
}

fn gradient_scale() -> f32 {
  return params.loss.scale;
}
{% else %}

fn weight(c: u32) -> f32 {
  if params.loss.weighted == 1u { return weights[c]; }
  return 1.0;
}

fn row_weight(row: u32) -> f32 {
  if params.loss.sampled == 1u { return samples[row]; }
  return 1.0;
}

// The factor of the gradient; 0 for a mean over rows whose weights sum to 0.
fn gradient_scale() -> f32 {
  if params.loss.divided == 0u { return params.loss.scale; }
  let sum = divisor[0];
  if sum == 0.0 { return 0.0; }
  return 1.0 / sum;
}
{% endif %}
