// pack_blocks: lays a factor of a product out for panel.wgsl where it has whole groups of four columns, as pack.wgsl does with
//   TRANSPOSE: out[r,g] = x's values in column r and rows 4g .. 4g+3, 0 behind the end.
//   x: length x rows, out: rows x groups of four, both row-major and with four values as two 64-bit words (values.wgsl).
//   A thread transposes a block of 4 x 4. A workgroup owns LANES blocks along length, for neighbouring threads, and BLOCKS along
//   rows, so that it reads and writes whole cache lines whatever the strides are.
{% include "common.wgsl" %}
{% set only_long_words = true %}{% include "elements/values.wgsl" %}

struct Params {
  rows: u32,
  length: u32,
  groups: u32, // of length
  down: u32,   // workgroups along length
}

override LANES: u32;
override BLOCKS: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2<u64>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec2<u64>>;

// Four values of row r of x, from column 4 `block` on, 0 behind the last row.
fn quarter(r: u32, block: u32) -> vec4<f32> {
  let at = min(r, params.length - 1u) * (params.rows / 4u) + block;
  return select(vec4(0.0), from_longs(x[at]), r < params.length);
}

@compute @workgroup_size(LANES * BLOCKS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let tile = flat(id, count);
  let g = tile % params.down * LANES + thread % LANES;
  let block = tile / params.down * BLOCKS + thread / LANES;
  if g >= params.groups || 4u * block >= params.rows { return; }
  let turned = transpose(mat4x4(quarter(4u * g, block), quarter(4u * g + 1u, block), quarter(4u * g + 2u, block), quarter(4u * g + 3u, block)));
  for (var r = 0u; r < 4u; r++) { out[(4u * block + r) * params.groups + g] = to_longs(turned[r]); }
}
