// bias_add: out[r,c] = x[r,c] + bias[c]
//   x, out: rows x cols, row-major, `count` elements; bias: 1 x cols.
//   Element by element, as elements.wgsl hands them out.

struct Params {
  count: u32,
  cols: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  out[i] = x[i] + bias[i % params.cols];
}
