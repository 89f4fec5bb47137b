// pack: lays a factor of a product out for matmul_direct.wgsl: out[k,g] = the four values 4g .. 4g+3 of step k, 0 behind
//   the end.
//   x: steps x length, or length x steps (TRANSPOSE), row-major; out: steps x groups of four, `count` groups in all.
//   Group by group, as elements.wgsl hands them out.

struct Params {
  count: u32,
  steps: u32,
  length: u32,
  groups: u32, // of a step
}

override TRANSPOSE: bool;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

fn element(i: u32) {
  let step = i / params.groups;
  let first = i % params.groups * 4u;
  var values = vec4(0.0);
  for (var e = 0u; e < 4u; e++) {
    let at = first + e;
    if at < params.length { values[e] = x[select(step * params.length + at, at * params.steps + step, TRANSPOSE)]; }
  }
  out[i] = values;
}
