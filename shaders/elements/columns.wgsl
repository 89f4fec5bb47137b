// columns: for kernels that go down columns. A workgroup owns WIDTH columns of one block of LANES * DEPTH rows. Columns are
// counted in values: single ones or fours.

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

// What a thread works on.
struct Strip {
  block: u32,
  col: u32,
  inside: bool, // whether there is such a strip
}

fn strip(id: vec3<u32>, count: vec3<u32>, local: vec3<u32>) -> Strip {
  let group = flat(id, count);
  let block = group / params.across;
  let col = (group % params.across) * WIDTH + local.x;
  return Strip(block, col, col < params.cols && block < params.blocks);
}

// The dth row of a lane's DEPTH: neighbouring lanes take neighbouring rows.
fn row_of(block: u32, d: u32, lane: u32) -> u32 {
  return (block * DEPTH + d) * LANES + lane;
}

