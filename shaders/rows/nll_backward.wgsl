// nll_backward: dprobs[r,c] = -(q[c] / divisor) / clip(probs[r,c], low, high), q the row's masses (masses.wgsl);
//                                                               divisor: 1, or the mean's
//   probs, dprobs: rows x cols, row-major, `count` elements; targets: a class id a row, or rows x cols; weights: 1 x
//   cols, where weighted; samples: rows x 1, where sampled; divisor: 1 x 1, where divided.
//   A class id out of range makes its row NaN; a row that is ignored gives 0. Element by element
//   (elements.wgsl); on hardware by fours, in which neighbouring rows may meet.
{% include "elements/elements.wgsl" %}
{% include "rows/masses.wgsl" %}

struct Params {
  loss: LossParameters,
  count: u32,
  classes: u32,
  low: f32,
  high: f32,
  nan: f32,
}

@group(0) @binding(1) var<storage, read> probs: array<{% if fours %}vec4<f32>{% else %}f32{% endif %}>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(4) var<storage, read> samples: array<f32>; // any buffer where not sampled
@group(0) @binding(5) var<storage, read> divisor: array<f32>; // any buffer where not divided
@group(0) @binding(6) var<storage, read_write> dprobs: array<{% if fours %}vec4<f32>{% else %}f32{% endif %}>;

fn class_of(row: u32) -> u32 {
  if DISTRIBUTIONS { return 0u; }
  return targets[row];
}

// The mass of column c, which is element i of the matrix.
fn mass(row: u32, c: u32, i: u32) -> f32 {
  return row_weight(row) * class_mass(class_of(row), i - c, c);
}

// The mass over the divisor; 0 for a mean over rows whose weights sum to 0. It comes before the division by the probability,
// because a large mass over a small probability may be beyond f32.
fn divided(q: f32) -> f32 {
  if params.loss.divided == 0u { return q * params.loss.scale; }
  let sum = divisor[0];
  if sum == 0.0 { return 0.0; }
  return q / sum;
}

fn slope(row: u32, q: f32, p: f32) -> f32 {
  let slope = -divided(q) / clamp(p, params.low, params.high);
  // 0 where the class has no mass, whatever p is; NaN where it has one and p is NaN.
  let value = select(0.0, select(slope, params.nan, is_nan(p)), q != 0.0);
  if DISTRIBUTIONS { return value; }
  let class_id = class_of(row);
  return select(select(params.nan, value, class_id < params.classes), 0.0, is_ignored(class_id, params.classes));
}
{% if fours %}

fn element(i: u32) {
  var row = 4u * i / params.classes;
  var c = 4u * i - row * params.classes;
  var q = vec4(0.0);
{% for part in ["x", "y", "z", "w"] %}
  let row_{{ part }} = row;
  q.{{ part }} = mass(row, c, 4u * i + {{ loop.index0 }}u);
  c += 1u;
  if c == params.classes {
    c = 0u;
    row += 1u;
  }
{% endfor %}
  // With class ids only few elements have a mass. The probabilities of the others are not read.
  var p = vec4(1.0);
  if any(q != vec4(0.0)) { p = probs[i]; }
  dprobs[i] = vec4(slope(row_x, q.x, p.x), slope(row_y, q.y, p.y), slope(row_z, q.z, p.z), slope(row_w, q.w, p.w));
}
{% else %}

fn element(i: u32) {
  let row = i / params.classes;
  dprobs[i] = slope(row, mass(row, i % params.classes, i), probs[i]);
}
{% endif %}
