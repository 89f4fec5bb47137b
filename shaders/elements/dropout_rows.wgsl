// dropout_rows: out[r,c] = x[r,c] * scale where the element is kept (pcg4d.wgsl), else 0, for rows of a larger matrix
//   The number of element (r, c) is first[r] + c, as in the larger matrix.
//   x, out: a window of `cols` columns of the rows, `count` elements in all; first: the number of each row's first element in the
//   larger matrix, as low word and high word; `col`: the window's first column.
//   Element by element (elements.wgsl).
{% include "elements/elements.wgsl" %}
{% include "elements/pcg4d.wgsl" %}

struct Params {
  draws: Draws,
  cols: u32,
  col: u32,
  count: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> first: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  let start = first[i / params.cols];
  let low = start.x + params.col + i % params.cols;
  let high = start.y + select(0u, 1u, low < start.x);
  out[i] = dropped(x[i], low, high);
}
