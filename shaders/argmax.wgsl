// argmax: classes[r] = the first column of x[r,..] that holds the row's maximum; the first NaN where there is one
//   x: rows x cols, row-major; classes: a u32 a row. LANES threads share a row, each taking every LANES-th column.

struct Params {
  rows: u32,
  cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> classes: array<u32>;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let row = flat(id, count) * ROWS + local.y;
  let start = row * params.cols;
  let cols = select(0u, params.cols, row < params.rows);

  var peak = Peak(0u, 0u);
  for (var c = local.x; c < cols; c += LANES) {
    peak = higher(peak, Peak(order_key(x[start + c]), c));
  }
  peak = row_peak(local.xy, peak);
  if row < params.rows && local.x == 0u { classes[row] = peak.col; }
}
