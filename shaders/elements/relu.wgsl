// relu: out = max(x, 0), NaN stays NaN.   relu_mask (MASK): out = 1 where x > 0, else 0, also for NaN.
//   x, out: any shape, `count` elements.
//   Value by value, as elements.wgsl hands them out: single ones or fours, counted as such.
{% include "common.wgsl" %}
{% if fours %}{% include "elements/by_four.wgsl" %}{% else %}{% include "elements/by_one.wgsl" %}{% endif %}
{% if longs %}{% include "elements/longs.wgsl" %}{% include "elements/cells_by_long.wgsl" %}{% else %}{% include "elements/cells.wgsl" %}{% endif %}
{% include "elements/values.wgsl" %}
{% include "elements/elements.wgsl" %}

struct Params {
  count: u32,
}

override MASK: bool;

@group(0) @binding(1) var<storage, read> x: array<Cell>;
@group(0) @binding(2) var<storage, read_write> out: array<Cell>;

fn element(i: u32) {
  let value = opened(x[i]);
  if MASK {
    out[i] = closed(select(Value(0.0), Value(1.0), are_positive(value)));
  } else {
    out[i] = closed(rectified(value));
  }
}
