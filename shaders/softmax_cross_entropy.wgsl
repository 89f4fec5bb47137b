// softmax_cross_entropy: for each row r with logits x, p = softmax(x), C = cols,
//   q[c]         = w[c] * ((1 - smoothing) * y[c] + smoothing / C)    y: the row's one-hot or distribution
//   losses[r]    = sum_c q[c] * -ln p[c]
//   dlogits[r,c] = (p[c] * sum_j q[j] - q[c]) * scale                 scale: 1, or 1 / the mean's divisor
//   logits, dlogits: rows x cols, row-major; targets: a class id a row, or rows x cols; weights: 1 x cols, where
//   weighted; divisor: 1 x 1, where divided; losses: rows x 1; records: one a workgroup.
//   LANES threads share a row, each taking every LANES-th column; ROWS rows share a workgroup and its record.
//   A row of the ignored class gives 0 and is not counted; a row without a softmax gives NaN and is.

struct Params {
  rows: u32,
  cols: u32,
  smoothing: f32,
  scale: f32,
  ignored: u32, // NO_ROW where no class is ignored
  weighted: u32, // 1 for yes: a uniform branch costs nothing, a variant more to compile does
  divided: u32,
  nan: f32,
  infinity: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(4) var<storage, read> divisor: array<f32>; // any buffer where not divided
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;
@group(0) @binding(7) var<storage, read_write> records: array<Record>;

fn weight(c: u32) -> f32 {
  if params.weighted == 1u { return weights[c]; }
  return 1.0;
}

fn mass(row: u32, start: u32, c: u32) -> f32 {
  let share = target_share(row, start, c);
  return weight(c) * ((1.0 - params.smoothing) * share + params.smoothing / f32(params.cols));
}

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let group = flat(id, count);
  let row = group * ROWS + local.y;
  let start = row * params.cols;
  let inside = row < params.rows;
  // A row behind the end has no columns, but its threads take part in the reductions.
  let cols = select(0u, params.cols, inside);

  // The row's class: its id, or the first maximum of its distribution.
  var peak = Peak(0u, 0u);
  var target_peak = Peak(0u, 0u);
  for (var c = local.x; c < cols; c += LANES) {
    peak = higher(peak, Peak(order_key(logits[start + c]), c));
    if DISTRIBUTIONS {
      target_peak = higher(target_peak, Peak(order_key(bitcast<f32>(targets[start + c])), c));
    }
  }
  peak = row_peak(local.xy, peak);
  let top = from_key(peak.key);
  var class_id = 0u;
  if DISTRIBUTIONS {
    class_id = row_peak(local.xy, target_peak).col;
  } else if inside {
    class_id = targets[row];
  }
  let in_range = class_id < params.cols;
  let ignored = !DISTRIBUTIONS && class_id == params.ignored;
  let bad = is_bad(peak) || !in_range;

  // Every term of the loss is at least 0: (m - x[c]) and ln(sum) are, so nothing cancels.
  var sum = 0.0;
  var mass_sum = 0.0;
  var below = 0.0;
  for (var c = local.x; c < cols; c += LANES) {
    let x = logits[start + c];
    let q = mass(row, start, c);
    sum += exp_below(x, top);
    mass_sum += q;
    if q != 0.0 { below += q * select(top - x, params.infinity, is_negative_infinity(x)); }
  }
  sum = row_sum(local.xy, sum);
  mass_sum = row_sum(local.xy, mass_sum);
  below = row_sum(local.xy, below);

  var scale = params.scale;
  if params.divided == 1u { scale = 1.0 / divisor[0]; }
  for (var c = local.x; c < cols; c += LANES) {
    let p = exp_below(logits[start + c], top) / sum;
    let slope = (p * mass_sum - mass(row, start, c)) * scale;
    dlogits[start + c] = select(select(slope, params.nan, bad), 0.0, ignored);
  }

  let loss = select(select(below + mass_sum * log(sum), params.nan, bad), 0.0, ignored);
  if inside && local.x == 0u { losses[row] = loss; }

  let counted = inside && !ignored;
  let finite = (bitcast<u32>(loss) & ~SIGN_BIT) < INFINITY_BITS;
  var row_weight = 0.0;
  if counted {
    row_weight = 1.0;
    if !DISTRIBUTIONS && in_range { row_weight = weight(class_id); }
  }
  let total = group_record(local.xy, Record(
    select(0.0, loss, counted),
    row_weight,
    u32(counted && !bad && peak.col == class_id),
    u32(counted),
    u32(counted && !finite),
    select(NO_ROW, row, counted && !finite),
  ));
  if inside && local.x == 0u && local.y == 0u { records[group] = total; }
}
