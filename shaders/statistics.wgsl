// statistics: joins ROWS records into one; the host repeats it until one is left.
//   records: `count` of them; out: one a workgroup. Thread y of a workgroup brings record y (LANES is 1).

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read_write> out: array<Record>;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let group = flat(id, count);
  let at = group * ROWS + local.y;
  var mine = Record(0.0, 0.0, 0u, 0u, 0u, NO_ROW);
  if at < params.count { mine = records[at]; }
  let total = group_record(local.xy, mine);
  if local.y == 0u && at < params.count { out[group] = total; }
}
