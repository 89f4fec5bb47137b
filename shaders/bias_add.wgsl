// bias_add: out[r,c] = x[r,c] + bias[c]
//   x, out: rows x cols, row-major, `count` elements; bias: 1 x cols.
//   Value by value, as elements.wgsl hands them out: single ones or fours, counted as such.

struct Params {
  count: u32,
  cols: u32,
}

@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read> bias: array<Value>;
@group(0) @binding(3) var<storage, read_write> out: array<Value>;

fn element(i: u32) {
  out[i] = x[i] + bias[i % params.cols];
}
