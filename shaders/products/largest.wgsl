// largest: the largest magnitude of each column of x, for the powers of two that scale columns (cut.wgsl).
//   x: rows x cols, row-major; out[block * cols + c] = max over the block's `run` rows r of |x[r, c]|
//   A workgroup owns THREADS columns of a block, or, with VECTORS, THREADS groups of four columns. A thread starts the loads of
//   ROWS rows at a time. Magnitudes are compared as integers, by their bits, which have the same order; infinity is above all
//   numbers, and NaN above infinity.

{% include "common.wgsl" %}
{% set cell = "vec4<u32>" if VECTORS else "u32" %}
struct Params {
  rows: u32,
  cols: u32,   // of cells: columns, or fours of them
  run: u32,    // rows of a block
  across: u32, // workgroups across the columns
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<{{ cell }}>;
@group(0) @binding(2) var<storage, read_write> out: array<{{ cell }}>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = flat(id, count);
  let col = (group % params.across) * THREADS + thread;
  let first = (group / params.across) * params.run;
  if col >= params.cols || first >= params.rows { return; }
  let end = min(first + params.run, params.rows);
  var largest = {{ cell }}();
  // Behind the end comes the last row again.
  for (var r = first; r < end; r += ROWS) {
{% for e in range(ROWS) %}
    let x_{{ e }} = x[min(r + {{ e }}u, end - 1u) * params.cols + col] & {{ cell }}(~SIGN_BIT);
{% endfor %}
{% for e in range(ROWS) %}
    largest = max(largest, x_{{ e }});
{% endfor %}
  }
  out[(group / params.across) * params.cols + col] = largest;
}
