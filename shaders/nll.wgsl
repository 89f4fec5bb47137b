// nll: losses[r] = -ln clip(probs[r,t], low, high), t the row's class;
//      with DISTRIBUTIONS the sum over c of y[r,c] times that, y the row's distribution
//   probs: rows x cols, row-major; targets: a class id a row, or rows x cols; losses: rows x 1.
//   LANES threads share a row. A NaN that the row reads, or a class out of range, makes the loss NaN.

struct Params {
  rows: u32,
  cols: u32,
  low: f32,
  high: f32,
  nan: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

fn surprise(p: f32) -> f32 {
  return select(-log(clamp(p, params.low, params.high)), params.nan, is_nan(p));
}

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let row = flat(id, count) * ROWS + local.y;
  let start = row * params.cols;
  let inside = row < params.rows;

  var loss = 0.0;
  if DISTRIBUTIONS {
    let cols = select(0u, params.cols, inside);
    for (var c = local.x; c < cols; c += LANES) {
      loss += target_share(row, start, c) * surprise(probs[start + c]);
    }
    loss = row_sum(local.xy, loss);
  } else if inside {
    loss = params.nan;
    let class_id = targets[row];
    if class_id < params.cols { loss = surprise(probs[start + class_id]); }
  }
  if inside && local.x == 0u { losses[row] = loss; }
}
