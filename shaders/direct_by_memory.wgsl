// direct_by_memory: the lanes of matmul_direct.wgsl by themselves: each reads every group of left.

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  product(flat(id, count), lane);
}

fn read_ahead(k: u32, left0: u32) -> vec4<f32> {
  return vec4(0.0);
}

// Behind the end the last group again: nothing of it is written.
fn left_group(k: u32, left0: u32, i: u32, ahead: vec4<f32>) -> vec4<f32> {
  return left[k * params.lefts + min(left0 + i, params.lefts - 1u)];
}

