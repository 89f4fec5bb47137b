// softmax_cross_entropy: for each row r with logits x, p = softmax(x), q its masses (masses.wgsl), C = cols,
//   losses[r]    = sum_c q[c] * -ln p[c]
//   dlogits[r,c] = (p[c] * sum_j q[j] - q[c]) * scale     scale: 1, or 1 / the mean's divisor
//   logits, dlogits: rows x cols, row-major; targets: a class id a row, or rows x cols; weights: 1 x cols, where
//   weighted; samples: rows x 1, where sampled; divisor: 1 x 1, where divided; losses: rows x 1; records: one a
//   workgroup.
//   LANES threads share a row; ROWS rows share a workgroup and its record.
//   A row that is ignored gives 0 and is not counted; a row without a softmax gives NaN and is counted.
// linear_cross_entropy.wgsl includes this file. It computes the logits itself and provides them through `x_of`; all weights are 1
//   there.
{% set inputs = {"x": "logits"} %}
{% include "rows/streaming.wgsl" %}
{% include "rows/records.wgsl" %}
{% include "rows/masses.wgsl" %}
{% if linear %}

struct Params {
  window: Window,
  loss: LossParameters,
  m: u32, // rows
  n: u32, // classes
  k: u32, // inputs
}

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> targets: array<u32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;
@group(0) @binding(7) var<storage, read_write> records: array<Record>;
{% else %}

struct Params {
  window: Window,
  loss: LossParameters,
}

@group(0) @binding(1) var<storage, read> logits: array<{{ row_cell }}>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(4) var<storage, read> samples: array<f32>; // any buffer where not sampled
@group(0) @binding(5) var<storage, read> divisor: array<f32>; // any buffer where not divided
@group(0) @binding(6) var<storage, read_write> dlogits: array<{{ row_cell }}>;
@group(0) @binding(7) var<storage, read_write> losses: array<f32>;
@group(0) @binding(8) var<storage, read_write> records: array<Record>;
{% endif %}

// Whether classes other than the row's own have a mass, as with distributions and smoothed ids.
override SPREAD: bool;

fn mass(at: RowThread, class_id: u32, c: u32) -> f32 {
  return class_mass(class_id, at.start, c);
}

// The part of the loss that the mass q of a class with logit x adds, without ln(sum). It is 0 where q is 0, even where x
// is -inf.
fn cost(q: f32, x: f32, top: f32) -> f32 {
  if q == 0.0 { return 0.0; }
  return q * select(top - x, bitcast<f32>(INFINITY_BITS | (bitcast<u32>(x) & ~SIGN_BIT)), is_negative_infinity(x));
}

fn row_work(at: RowThread) {
  let window = params.window;
{{ load_values() }}
  let class_id = row_class(at);
  let in_range = class_id < window.cols;
  let ignored = is_ignored(class_id, window.cols);
  var own_weight = 0.0; // 0 behind the end
  if at.inside { own_weight = row_weight(at.row); }

  // The terms of the loss are (m - x[c]) and ln(sum), both at least 0, so nothing cancels.
  var mass_sum = 0.0;
  var below = 0.0;
{% if in_pieces %}
{% call maximum_and_sum() %}
        if SPREAD { run += own_weight * mass(at, class_id, c); }
{% endcall %}
  mass_sum = more;
  let top = from_top_key(key);
  var first_top = NO_COL;
{% else %}
  var key = 0u;
{% call each_value() %}
        key = max(key, top_key(x));
{% endcall %}
  key = lanes_top_key(at.local, key);
  let top = from_top_key(key);
  var first_top = NO_COL;
  var sums = vec3(0.0); // of exp(x - top), mass_sum and below
{% call sum_values("sums", "vec3<f32>", "x") %}
        let kept = exp_below(x, top);
        run.x += kept;
        first_top = min(first_top, select(NO_COL, c, is_top(x, top)));
        if SPREAD {
          let q = own_weight * mass(at, class_id, c);
          run.y += q;
          run.z += cost(q, x, top);
        }
{% endcall %}
  let gathered = lanes_sum_and_column(at.local, SumAndColumn(sums.x, first_top));
  let sum = gathered.sum;
  first_top = gathered.col;
  mass_sum = sums.y;
  below = sums.z;
{% endif %}
  if SPREAD {
    mass_sum = lanes_sum(at.local, mass_sum);
{% if not in_pieces %}
    below = lanes_sum(at.local, below);
{% endif %}
  } else if class_id < at.cols {
    // Every lane reads this logit itself, which is faster than passing it on from one lane.
    mass_sum = own_weight * weight(class_id);
    below = cost(mass_sum, x_of(at, class_id), top);
  }

  let bad = is_bad(key) || !in_range;
  let special = bad || ignored;
  let instead = select(params.window.nan, 0.0, ignored);
  let scale = gradient_scale();
  let inverse = 1.0 / sum;
{% call store_results("dlogits", "below") %}
        let p = {{ "x" if keeps else "exp_below(x, top)" }} {{ over_sum }};
        var q = select(0.0, mass_sum, c == class_id);
        if SPREAD { q = own_weight * mass(at, class_id, c); }
{% if in_pieces %}
        if SPREAD { run += cost(q, x, top); }
        first_top = min(first_top, select(NO_COL, c, is_top(x, top)));
{% endif %}
        let slope = (p * mass_sum - q) * scale;
        let result = select(slope, instead, special);
{% endcall %}
{% if in_pieces %}
  let gathered = lanes_sum_and_column(at.local, SumAndColumn(below, first_top));
  if SPREAD { below = gathered.sum; }
  first_top = gathered.col;
{% endif %}

  let loss = select(below + mass_sum * log(sum), instead, special);
  if at.inside && at.lane == 0u { losses[at.row] = loss; }

  let counted = at.inside && !ignored;
  let finite = (bitcast<u32>(loss) & ~SIGN_BIT) < INFINITY_BITS;
  var share = 1.0; // of the row's class in the weight of the row
  if !DISTRIBUTIONS {
    share = 0.0;
    if class_id < at.cols { share = weight(class_id); }
  }
  let total = group_record(at, Record(
    select(0.0, loss, counted),
    select(0.0, own_weight * share, counted),
    u32(counted && !bad && first_top == class_id),
    u32(counted),
    u32(counted && !finite),
    select(NO_ROW, window.first_row + at.row, counted && !finite),
  ));
  if at.inside && at.lane == 0u && at.local.y == 0u { records[at.group] = total; }
}
