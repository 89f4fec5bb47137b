// direct_by_subgroup: the lanes of matmul_direct.wgsl as a subgroup: each reads one group of left, and all take them from each
// other. LEFTS is no more than a subgroup has lanes.

var<private> subgroup_lane: u32;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) number: u32,
) {
  subgroup_lane = number;
  product(flat(id, count), lane);
}

// Behind the end the last group again: nothing of it is written.
fn read_ahead(k: u32, left0: u32) -> vec4<f32> {
  return left[k * params.lefts + min(left0 + subgroup_lane % LEFTS, params.lefts - 1u)];
}

fn left_group(k: u32, left0: u32, i: u32, ahead: vec4<f32>) -> vec4<f32> {
  return subgroupShuffle(ahead, i);
}

