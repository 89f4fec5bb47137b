// relu_backward: dx = dy where x > 0, else 0, also where x is NaN; the gradient at x = 0 is 0.
//   x, dy, dx: any one shape, `count` elements.
//   Element by element, as elements.wgsl hands them out.

struct Params {
  count: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

fn element(i: u32) {
  dx[i] = select(0.0, dy[i], is_positive(x[i]));
}
