// each_row_by_subgroup: each_row.wgsl's entry point for lanes that reduce with subgroup operations (lanes_by_subgroup.wgsl).

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_id) number: u32,
  @builtin(num_subgroups) subgroups: u32,
) {
  subgroup = Subgroup(lane, number, subgroups);
  row_work(place(flat(id, count), local.xy));
}

