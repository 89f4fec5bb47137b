// dropout: out[i] = x[i] * scale where element i is kept, else 0
//   Element i is kept where a hash of its number and of the key is no less than `threshold` = rate * 2^32.
//   x, out: `count` elements, the first of which has the number `first`.
//   Element by element (elements.wgsl).
{% include "elements/elements.wgsl" %}
{% include "elements/pcg4d.wgsl" %}

struct Params {
  key: vec4<u32>,
  first: vec2<u32>, // low and high word
  count: u32,
  threshold: u32,
  scale: f32,
  multiplier: u32,
  increment: u32,
  shift: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  let low = params.first.x + i;
  let high = params.first.y + select(0u, 1u, low < i);
  let kept = hash(params.key ^ vec4(low, high, 0u, 0u)) >= params.threshold;
  out[i] = select(0.0, x[i] * params.scale, kept);
}
