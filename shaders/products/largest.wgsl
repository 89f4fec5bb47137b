// largest: how large the numbers of each row or column of x are, for the powers of two that scale them.
//   x: rows x cols, row-major. ALONG: out[r] = max over c of |x[r, c]|; a workgroup owns a row, its threads every THREADSth value.
//   Else out[block * cols + c] = max over the block's `run` rows r of |x[r, c]|; a workgroup owns THREADS columns of a block.
//   Numbers are compared by their bits, which are in the same order; infinity is larger than all of them, and NaN than that.

{% include "common.wgsl" %}
struct Params {
  rows: u32,
  cols: u32,
  run: u32,    // rows of a block
  across: u32, // workgroups across the columns
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
{% if ALONG %}

var<workgroup> found: array<u32, THREADS>;
{% endif %}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = flat(id, count);
  var largest = 0u;
{% if ALONG %}
  if group >= params.rows { return; }
  for (var c = thread; c < params.cols; c += THREADS) {
    largest = max(largest, x[group * params.cols + c] & ~SIGN_BIT);
  }
  found[thread] = largest;
  for (var step = THREADS / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if thread < step { found[thread] = max(found[thread], found[thread + step]); }
  }
  if thread == 0u { out[group] = found[0]; }
{% else %}
  let col = (group % params.across) * THREADS + thread;
  let first = (group / params.across) * params.run;
  if col >= params.cols || first >= params.rows { return; }
  for (var r = first; r < min(first + params.run, params.rows); r++) {
    largest = max(largest, x[r * params.cols + col] & ~SIGN_BIT);
  }
  out[(group / params.across) * params.cols + col] = largest;
{% endif %}
}
