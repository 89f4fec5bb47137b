// relu_backward: dx = dy where x > 0, else 0, also where x is NaN; the gradient at x = 0 is 0.
//   x, dy, dx: any one shape, `count` elements.
//   Value by value, as elements.wgsl hands them out: single ones or fours, counted as such.
{% include "common.wgsl" %}
{% if fours %}{% include "elements/by_four.wgsl" %}{% else %}{% include "elements/by_one.wgsl" %}{% endif %}
{% if longs %}{% include "elements/longs.wgsl" %}{% include "elements/cells_by_long.wgsl" %}{% else %}{% include "elements/cells.wgsl" %}{% endif %}
{% include "elements/values.wgsl" %}
{% include "elements/elements.wgsl" %}

struct Params {
  count: u32,
}

@group(0) @binding(1) var<storage, read> x: array<Cell>;
@group(0) @binding(2) var<storage, read> dy: array<Cell>;
@group(0) @binding(3) var<storage, read_write> dx: array<Cell>;

fn element(i: u32) {
  dx[i] = closed(passed(opened(dy[i]), opened(x[i])));
}
