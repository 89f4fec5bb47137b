// each_row: the entry point of the kernels that find their rows in a matrix.
// The kernel declares `Params`, which begins with `window: Window`, and `fn row_work(at: Place)`. It reduces with row_peak,
// row_sum and row_only of whole_rows.wgsl, or of wide_rows.wgsl where a row is longer than a binding.

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let group = flat(id, count);
  let row = group * ROWS + local.y;
  let inside = row < params.window.rows;
  let cols = select(0u, params.window.cols, inside);
  row_work(Place(group, row, row * params.window.cols, cols, inside, local.x, local.xy));
}

