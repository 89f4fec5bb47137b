// pack: lays a factor of a product out for direct.wgsl: out[k,g] = the four values 4g .. 4g+3 of step k, 0 behind
//   the end.
//   x: steps x length, or length x steps (TRANSPOSE), row-major; out: steps x groups of four, `count` groups in all tiles.
//   The kernel goes tile by tile, of TILE_GROUPS groups and TILE_STEPS steps, so that neighbouring threads read from the same cache
//   lines also if x is transposed. Within a tile elements.wgsl assigns the groups to threads.
{% include "common.wgsl" %}
{% include "elements/elements.wgsl" %}

struct Params {
  count: u32,
  steps: u32,
  length: u32,
  groups: u32, // of a step
}

override TRANSPOSE: bool;
override TILE_GROUPS: u32;
override TILE_STEPS: u32;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

fn element(i: u32) {
  let across = (params.groups + TILE_GROUPS - 1u) / TILE_GROUPS;
  let tile = i / (TILE_GROUPS * TILE_STEPS);
  let inner = i % (TILE_GROUPS * TILE_STEPS);
  let step = tile / across * TILE_STEPS + inner / TILE_GROUPS;
  let group = tile % across * TILE_GROUPS + inner % TILE_GROUPS;
  if step >= params.steps || group >= params.groups { return; }
  var values = vec4(0.0);
  for (var e = 0u; e < 4u; e++) {
    let at = group * 4u + e;
    if at < params.length { values[e] = x[select(step * params.length + at, at * params.steps + step, TRANSPOSE)]; }
  }
  out[step * params.groups + group] = values;
}
