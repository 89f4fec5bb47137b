// column_sum: out[b,c] = sum of x[r,c] over the rows r of block b
//   x: rows x cols; out: blocks x cols, both row-major. The host repeats it until one block is left.
//   A workgroup owns WIDTH columns of one block of LANES * DEPTH rows: each lane adds DEPTH rows in runs, then a fixed
//   tree adds the lanes. Columns are counted in values: single ones or fours.

struct Params {
  rows: u32,
  cols: u32,
  across: u32, // workgroups across the columns
  blocks: u32,
}

override WIDTH: u32;
override LANES: u32;
override DEPTH: u32;
override RUN: u32; // rows that a lane adds up by themselves; divides DEPTH
override CELLS: u32 = WIDTH * LANES;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read_write> out: array<Value>;

var<workgroup> sums: array<Value, CELLS>;

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

  var sum = Value(0.0);
  for (var first = 0u; first < DEPTH; first += RUN) {
    var run = Value(0.0);
    for (var d = first; d < first + RUN; d++) {
      let row = (block * DEPTH + d) * LANES + local.y;
      if inside && row < params.rows { run += x[row * params.cols + col]; }
    }
    sum += run;
  }

  let at = local.y * WIDTH + local.x;
  sums[at] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if local.y < step { sums[at] += sums[at + step * WIDTH]; }
  }
  if inside && local.y == 0u { out[block * params.cols + col] = sums[at]; }
}
