// weights_by_memory: the threads of linear_cross_entropy_direct.wgsl by themselves: each reads all weights. AHEAD is 1.

fn weights_ahead(s: u32) -> array<f32, CLASSES> {
  var ahead: array<f32, CLASSES>;
  for (var c = 0u; c < CLASSES; c++) { ahead[c] = w[s * CLASSES + c]; }
  return ahead;
}

fn one_ahead(weight: f32, s: u32) -> f32 {
  return weight;
}

@compute @workgroup_size(ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  rows_of(flat(id, count), thread);
}

