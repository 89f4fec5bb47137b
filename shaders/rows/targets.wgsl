// targets: what each row should be: class ids, one u32 a row; or, with DISTRIBUTIONS, the bits of one f32 a class. The
//   kernel declares `targets: array<u32>`.
// For the kernels that follow PyTorch's CrossEntropyLoss also how a row's target becomes the masses q of its classes:
//   q[c] = v * w[c] * ((1 - smoothing) * y[c] + smoothing / C)
//   y: the row's one-hot or distribution; w: the class weights; v: the row's own weight; C: the classes. Their `Params`
//   has `contract: Contract`; they bind weights, of the classes in the window; samples, of its rows; divisor, of a mean.
// row_weights: out[r] = samples[r] * weights[targets[r]], 0 for a row that is ignored: what a weighted mean divides by,
//   row by row
//   targets: a class id a row; weights: one a class where weighted, else 1; samples: rows x 1 where sampled, else 1; out:
//   rows x 1, `count` elements. Element by element, as elements.wgsl hands them out.
{% if kernel == "row_weights" %}{% include "elements/elements.wgsl" %}{% endif %}

override DISTRIBUTIONS: bool;

// The share of class c in a row whose id is class_id, or whose distribution begins at start.
fn target_share(class_id: u32, start: u32, c: u32) -> f32 {
  if DISTRIBUTIONS { return bitcast<f32>(targets[start + c]); }
  return select(0.0, 1.0, class_id == c);
}
{% if kernel not in ["row_weights", "nll", "nll_backward"] %}

// The class of a row's target: its id, or the first maximum of its distribution.
fn row_class(at: Place) -> u32 {
  if DISTRIBUTIONS {
    var peak = Peak(0u, 0u);
    for (var c = at.local.x; c < at.cols; c += LANES) {
      peak = raised(peak, order_key(bitcast<f32>(targets[at.start + c])), c);
    }
    return lanes_peak(at.local, peak).col;
  }
  if at.inside { return targets[at.row]; }
  return 0u;
}
{% endif %}
{% if kernel != "accuracy" %}

struct Contract {
  smoothing: f32,
  spread: f32,   // smoothing / C
  scale: f32,    // of the gradient, where no divisor is bound
  ignored: u32,  // the class whose rows count for nothing, or none of the classes
  marked: u32,   // the id, none of the classes, that marks such rows; 0 for none
  weighted: u32, // 1 for yes: a uniform branch costs nothing, a variant more to compile does
  sampled: u32,
  divided: u32,
}

// Whether a row of this class counts for nothing.
fn is_ignored(class_id: u32, classes: u32) -> bool {
  if DISTRIBUTIONS { return false; }
  return class_id == select(params.contract.marked, params.contract.ignored, class_id < classes);
}

// The mass of class c, without the row's own weight; a distribution begins at start.
fn class_mass(class_id: u32, start: u32, c: u32) -> f32 {
  let share = target_share(class_id, start, c);
  return weight(c) * ((1.0 - params.contract.smoothing) * share + params.contract.spread);
}
{% if kernel == "linear_cross_entropy" %}

// Nothing has a weight.
fn weight(c: u32) -> f32 {
  return 1.0;
}

fn row_weight(row: u32) -> f32 {
  return 1.0;
}

fn gradient_scale() -> f32 {
  return params.contract.scale;
}
{% else %}

fn weight(c: u32) -> f32 {
  if params.contract.weighted == 1u { return weights[c]; }
  return 1.0;
}

fn row_weight(row: u32) -> f32 {
  if params.contract.sampled == 1u { return samples[row]; }
  return 1.0;
}

// A mean over nothing moves nothing.
fn gradient_scale() -> f32 {
  if params.contract.divided == 0u { return params.contract.scale; }
  let sum = divisor[0];
  if sum == 0.0 { return 0.0; }
  return 1.0 / sum;
}
{% endif %}
{% endif %}
{% if kernel == "row_weights" %}

struct Params {
  contract: Contract,
  count: u32,
  classes: u32,
}

@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(3) var<storage, read> samples: array<f32>; // any buffer where not sampled
@group(0) @binding(4) var<storage, read> divisor: array<f32>; // any buffer: nothing is divided here
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  let class_id = targets[i];
  if class_id < params.classes && !is_ignored(class_id, params.classes) {
    out[i] = row_weight(i) * weight(class_id);
  } else {
    out[i] = 0.0;
  }
}
{% endif %}

