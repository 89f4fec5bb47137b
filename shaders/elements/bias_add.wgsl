// bias_add: out[r,c] = x[r,c] + bias[c]
//   x, out: rows x cols, row-major; bias: 1 x cols.
//   Down columns (elements.wgsl): each lane keeps its column's bias for DEPTH rows.
{% set down_columns = true %}
{% include "elements/elements.wgsl" %}
{% include "elements/values.wgsl" %}

@group(0) @binding(1) var<storage, read> x: array<Cell>;
@group(0) @binding(2) var<storage, read> bias: array<Cell>;
@group(0) @binding(3) var<storage, read_write> out: array<Cell>;

@compute @workgroup_size(WIDTH, LANES)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let at = strip(id, count, local);
  if !at.inside { return; }
  let mine = from_cell(bias[at.col]);
  for (var d = 0u; d < DEPTH; d++) {
    let row = row_of(at.block, d, local.y);
    let i = row * params.cols + at.col;
    if row < params.rows { out[i] = to_cell(from_cell(x[i]) + mine); }
  }
}
