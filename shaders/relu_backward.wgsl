// relu_backward: dx = dy where x > 0, else 0, also where x is NaN; the gradient at x = 0 is 0.
//   x, dy, dx: any one shape, `count` elements.
//   Value by value, as elements.wgsl hands them out: single ones or fours, counted as such.

struct Params {
  count: u32,
}

@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read> dy: array<Value>;
@group(0) @binding(3) var<storage, read_write> dx: array<Value>;

fn element(i: u32) {
  dx[i] = passed(dy[i], x[i]);
}
