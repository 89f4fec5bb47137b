// softmax_cross_entropy: for each row r with logits x, p = softmax(x), C = cols,
//   q[c]         = w[c] * ((1 - smoothing) * y[c] + smoothing / C)    y: the row's one-hot or distribution
//   losses[r]    = sum_c q[c] * -ln p[c]
//   dlogits[r,c] = (p[c] * sum_j q[j] - q[c]) * scale                 scale: 1, or 1 / the mean's divisor
//   logits, dlogits: rows x cols, row-major; targets: a class id a row, or rows x cols; weights: 1 x cols, where
//   weighted; divisor: 1 x 1, where divided; losses: rows x 1; records: one a workgroup.
//   LANES threads share a row, each taking every LANES-th column; ROWS rows share a workgroup and its record.
//   A row of the ignored class gives 0 and is not counted; a row without a softmax gives NaN and is.

struct Params {
  window: Window,
  smoothing: f32,
  scale: f32,
  ignored: u32, // NO_ROW where no class is ignored
  weighted: u32, // 1 for yes: a uniform branch costs nothing, a variant more to compile does
  divided: u32,
}

@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(4) var<storage, read> divisor: array<f32>; // any buffer where not divided
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;
@group(0) @binding(7) var<storage, read_write> records: array<Record>;

// Of the class in column c of the window.
fn weight(c: u32) -> f32 {
  if params.weighted == 1u { return weights[c]; }
  return 1.0;
}

fn mass(row: u32, start: u32, c: u32) -> f32 {
  let share = target_share(row, start, c, params.window.first_col);
  return weight(c) * ((1.0 - params.smoothing) * share + params.smoothing / f32(params.window.row_length));
}

fn row_work(at: Place) {
  let window = params.window;
  var peak = Peak(0u, 0u);
  for (var c = at.lane; c < at.cols; c += LANES) {
    peak = higher(peak, Peak(order_key(logits[at.start + c]), window.first_col + c));
  }
  peak = row_peak(at, 0u, peak);
  let top = from_key(peak.key);
  // A distribution's class and an id's weight: the last reduction.
  let class_id = row_class(at, 4u);
  let in_range = class_id < window.row_length;
  let ignored = !DISTRIBUTIONS && in_range && class_id == params.ignored;
  let bad = is_bad(peak) || !in_range;

  // Every term of the loss is at least 0: (m - x[c]) and ln(sum) are, so nothing cancels.
  var sum = 0.0;
  var mass_sum = 0.0;
  var below = 0.0;
  for (var first = at.lane; first < at.cols; first += RUN * LANES) {
    var run = vec3(0.0); // of sum, mass_sum and below
    for (var c = first; c < min(first + RUN * LANES, at.cols); c += LANES) {
      let x = logits[at.start + c];
      let q = mass(at.row, at.start, c);
      var cost = 0.0;
      if q != 0.0 { cost = q * select(top - x, window.infinity, is_negative_infinity(x)); }
      run += vec3(exp_below(x, top), q, cost);
    }
    sum += run.x;
    mass_sum += run.y;
    below += run.z;
  }
  sum = row_sum(at, 1u, sum);
  mass_sum = row_sum(at, 2u, mass_sum);
  below = row_sum(at, 3u, below);

  var scale = params.scale;
  if params.divided == 1u { scale = 1.0 / divisor[0]; }
  for (var c = at.lane; c < at.cols; c += LANES) {
    let p = exp_below(logits[at.start + c], top) / sum;
    let slope = (p * mass_sum - mass(at.row, at.start, c)) * scale;
    dlogits[at.start + c] = select(select(slope, window.nan, bad), 0.0, ignored);
  }

  let loss = select(select(below + mass_sum * log(sum), window.nan, bad), 0.0, ignored);
  if at.inside && at.lane == 0u { losses[at.row] = loss; }

  let counted = at.inside && !ignored;
  let finite = (bitcast<u32>(loss) & ~SIGN_BIT) < INFINITY_BITS;
  var row_weight = 1.0;
  if !DISTRIBUTIONS {
    let c = class_id - window.first_col; // wraps where the class lies before the window
    row_weight = 0.0;
    if c < at.cols { row_weight = weight(c); }
    row_weight = row_only(at, 4u, row_weight);
  }
  let total = group_record(at.local, Record(
    select(0.0, loss, counted),
    select(0.0, row_weight, counted),
    u32(counted && !bad && peak.col == class_id),
    u32(counted),
    u32(counted && !finite),
    select(NO_ROW, window.first_row + at.row, counted && !finite),
  ));
  if at.inside && at.lane == 0u && at.local.y == 0u { records[at.group] = total; }
}
