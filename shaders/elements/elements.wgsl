// elements: the values of a thread, in kernels that work on each value by itself.
//   There are two mappings. In runs: a workgroup takes THREADS * PER_THREAD neighbouring values, and neighbouring threads take
//   neighbouring values. The kernel declares `Params`, with a `count` of values, and `fn element(i: u32)` for one value.
//   Down columns, if the kernel sets `down_columns`: a workgroup takes WIDTH columns of one block of LANES * DEPTH rows.
//   Everything is counted in values, which are single words or vectors of four (values.wgsl).
{% include "common.wgsl" %}
{% if down_columns is undefined %}

override THREADS: u32;
override PER_THREAD: u32;

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let start = flat(id, count) * THREADS * PER_THREAD + thread;
  for (var j = 0u; j < PER_THREAD; j++) {
    let i = start + j * THREADS;
    if i < params.count { element(i); }
  }
}
{% else %}

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

// A thread's column, in a block of rows.
struct Strip {
  block: u32,
  col: u32,
  inside: bool, // whether the column and the block exist
}

fn strip(id: vec3<u32>, count: vec3<u32>, local: vec3<u32>) -> Strip {
  let group = flat(id, count);
  let block = group / params.across;
  let col = (group % params.across) * WIDTH + local.x;
  return Strip(block, col, col < params.cols && block < params.blocks);
}

// The dth of a lane's DEPTH rows. Neighbouring lanes take neighbouring rows.
fn row_of(block: u32, d: u32, lane: u32) -> u32 {
  return (block * DEPTH + d) * LANES + lane;
}
{% endif %}

