// relu: out = max(x, 0), NaN stays NaN.   relu_mask (MASK): out = 1 where x > 0, else 0, also for NaN.
//   x, out: any shape, `count` elements.
//   Element by element, as elements.wgsl hands them out.

struct Params {
  count: u32,
}

override MASK: bool;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  let value = x[i];
  if MASK {
    out[i] = select(0.0, 1.0, is_positive(value));
  } else {
    out[i] = rectified(value);
  }
}
