// each_row: the entry point of the kernels that find their rows in a matrix.
// The kernel declares `Params`, which begins with `window: Window`, and `fn row_work(at: Place)`. It reduces with lanes_peak
// and lanes_sum of lanes_by_memory.wgsl or lanes_by_subgroup.wgsl.

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  row_work(place(flat(id, count), local.xy));
}

