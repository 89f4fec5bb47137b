// each_row: the entry point of the kernels that find their rows in a matrix.
// The kernel declares `Params`, which begins with `window: Window`, and `fn row_work(at: Place)`. It reduces with row_peak,
// row_sum and row_only of whole_rows.wgsl, or of wide_rows.wgsl where a row is longer than a binding.

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  row_work(place(flat(id, count), local.xy));
}

