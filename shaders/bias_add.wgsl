// bias_add: out[r,c] = x[r,c] + bias[c]
//   x, out: rows x cols, row-major; bias: 1 x cols. Columns are counted in values: single ones or fours.
//   A workgroup owns WIDTH columns of one block of LANES * DEPTH rows; each lane keeps its column's bias for DEPTH rows.

struct Params {
  rows: u32,
  cols: u32,
  across: u32, // workgroups across the columns
  blocks: u32,
}

override WIDTH: u32;
override LANES: u32;
override DEPTH: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read> bias: array<Value>;
@group(0) @binding(3) var<storage, read_write> out: array<Value>;

@compute @workgroup_size(WIDTH, LANES)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let group = flat(id, count);
  let block = group / params.across;
  let col = (group % params.across) * WIDTH + local.x;
  if col >= params.cols || block >= params.blocks { return; }
  let mine = bias[col];
  for (var d = 0u; d < DEPTH; d++) {
    let row = (block * DEPTH + d) * LANES + local.y;
    if row < params.rows { out[row * params.cols + col] = x[row * params.cols + col] + mine; }
  }
}
