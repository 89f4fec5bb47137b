// relu: out = max(x, 0), NaN stays NaN.   relu_mask (MASK): out = 1 where x > 0, else 0, also for NaN.
//   x, out: any shape, `count` elements.
// relu_backward: dx = dy where x > 0, else 0, also where x is NaN; the gradient at x = 0 is 0.
//   x, dy, dx: any one shape, `count` elements.
//   Value by value (elements.wgsl). A value is a single word or a vector of four; `count` is the number of values.
{% include "elements/elements.wgsl" %}
{% include "elements/values.wgsl" %}

struct Params {
  count: u32,
}
{% if kernel == "relu_backward" %}

@group(0) @binding(1) var<storage, read> x: array<Cell>;
@group(0) @binding(2) var<storage, read> dy: array<Cell>;
@group(0) @binding(3) var<storage, read_write> dx: array<Cell>;

fn element(i: u32) {
  dx[i] = to_cell(relu_gradient(from_cell(dy[i]), from_cell(x[i])));
}
{% else %}

override MASK: bool;

@group(0) @binding(1) var<storage, read> x: array<Cell>;
@group(0) @binding(2) var<storage, read_write> out: array<Cell>;

fn element(i: u32) {
  let value = from_cell(x[i]);
  if MASK {
    out[i] = to_cell(select(Value(0.0), Value(1.0), are_positive(value)));
  } else {
    out[i] = to_cell(relu(value));
  }
}
{% endif %}
