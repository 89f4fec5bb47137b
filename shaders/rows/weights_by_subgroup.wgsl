// weights_by_subgroup: the threads of linear_cross_entropy_direct.wgsl as subgroups: each reads the weights of one step, and
// all take them from each other. AHEAD is no more than a subgroup has lanes.

var<private> subgroup_lane: u32;

// Behind the end the last step again: nothing comes of it.
fn weights_ahead(first: u32) -> array<f32, CLASSES> {
  let s = min(first + subgroup_lane % AHEAD, params.k - 1u);
  var ahead: array<f32, CLASSES>;
  for (var c = 0u; c < CLASSES; c++) { ahead[c] = w[s * CLASSES + c]; }
  return ahead;
}

fn one_ahead(weight: f32, s: u32) -> f32 {
  return subgroupShuffle(weight, s);
}

@compute @workgroup_size(ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  subgroup_lane = lane;
  rows_of(flat(id, count), thread);
}

