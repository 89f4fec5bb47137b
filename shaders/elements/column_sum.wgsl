// column_sum: out[b,c] = sum of x[r,c] over the rows r of block b
//   x: rows x cols; out: blocks x cols, both row-major. The host repeats it until one block is left.
//   Down columns (elements.wgsl): each lane adds DEPTH rows in runs, then a fixed tree adds the lanes' sums.
{% set down_columns = true %}
{% include "elements/elements.wgsl" %}
{% include "elements/values.wgsl" %}

override RUN: u32; // rows of a run; divides DEPTH
override CELLS: u32 = WIDTH * LANES;

@group(0) @binding(1) var<storage, read> x: array<Cell>;
@group(0) @binding(2) var<storage, read_write> out: array<Cell>;

var<workgroup> sums: array<Value, CELLS>;

@compute @workgroup_size(WIDTH, LANES)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let here = strip(id, count, local);
  var sum = Value(0.0);
  for (var first = 0u; first < DEPTH; first += RUN) {
    var run = Value(0.0);
    for (var d = first; d < first + RUN; d++) {
      let row = row_of(here.block, d, local.y);
      if here.inside && row < params.rows { run += from_cell(x[row * params.cols + here.col]); }
    }
    sum += run;
  }

  let at = local.y * WIDTH + local.x;
  sums[at] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if local.y < step { sums[at] += sums[at + step * WIDTH]; }
  }
  if here.inside && local.y == 0u { out[here.block * params.cols + here.col] = to_cell(sums[at]); }
}
