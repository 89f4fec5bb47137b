// dropout: out[i] = x[i] * scale where element i is kept (pcg4d.wgsl), else 0
//   x, out: `count` elements; `first` is the number of the first one.
//   Element by element (elements.wgsl).
{% include "elements/elements.wgsl" %}
{% include "elements/pcg4d.wgsl" %}

struct Params {
  draws: Draws,
  first: vec2<u32>, // low and high word
  count: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  let low = params.first.x + i;
  let high = params.first.y + select(0u, 1u, low < i);
  out[i] = dropped(x[i], low, high);
}
