// column_sum: out[b,c] = sum of x[r,c] over the rows r of block b
//   x: rows x cols; out: blocks x cols, both row-major. The host repeats it until one block is left.
//   A workgroup owns WIDTH columns of one block of LANES * DEPTH rows: each lane adds DEPTH rows, then a fixed tree
//   adds the lanes.

struct Params {
  rows: u32,
  cols: u32,
  across: u32, // workgroups across the columns
  blocks: u32,
}

override WIDTH: u32;
override LANES: u32;
override DEPTH: u32;
override CELLS: u32 = WIDTH * LANES;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

var<workgroup> sums: array<f32, CELLS>;

@compute @workgroup_size(WIDTH, LANES)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let group = flat(id, count);
  let block = group / params.across;
  let col = (group % params.across) * WIDTH + local.x;
  let inside = col < params.cols && block < params.blocks;

  var sum = 0.0;
  for (var d = 0u; d < DEPTH; d++) {
    let row = (block * DEPTH + d) * LANES + local.y;
    if inside && row < params.rows { sum += x[row * params.cols + col]; }
  }

  let at = local.y * WIDTH + local.x;
  sums[at] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if local.y < step { sums[at] += sums[at + step * WIDTH]; }
  }
  if inside && local.y == 0u { out[block * params.cols + col] = sums[at]; }
}
