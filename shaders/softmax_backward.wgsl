// softmax_backward: dlogits[r,c] = p[r,c] * (dp[r,c] - sum_j dp[r,j] p[r,j]), p = probs, dp = dprobs
//   probs, dprobs, dlogits: rows x cols, row-major. LANES threads share a row, each taking every LANES-th column.

struct Params {
  rows: u32,
  cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> dprobs: array<f32>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let row = flat(id, count) * ROWS + local.y;
  let start = row * params.cols;
  let cols = select(0u, params.cols, row < params.rows);

  var dot = 0.0;
  for (var c = local.x; c < cols; c += LANES) { dot += dprobs[start + c] * probs[start + c]; }
  dot = row_sum(local.xy, dot);

  for (var c = local.x; c < cols; c += LANES) {
    dlogits[start + c] = probs[start + c] * (dprobs[start + c] - dot);
  }
}
