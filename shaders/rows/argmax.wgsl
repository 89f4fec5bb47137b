// argmax: classes[r] = the first column of scores[r,..] that holds the row's maximum; the first NaN where there is one
//   scores: rows x cols, row-major; classes: a u32 a row. LANES threads share a row.
{% set inputs = {"x": "scores"} %}
{% include "rows/along.wgsl" %}

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> scores: array<{{ row_cell }}>;
@group(0) @binding(2) var<storage, read_write> classes: array<u32>;

fn row_work(at: RowThread) {
{{ load_values() }}
  var maximum = RowMaximum(0u, 0u);
{% call each_value() %}
        maximum = raised_to(maximum, order_key(x), c);
{% endcall %}
  maximum = lanes_maximum(at.local, maximum);
  if at.inside && at.lane == 0u { classes[at.row] = maximum.col; }
}
