// softmax_backward: dlogits[r,c] = p[r,c] * (dp[r,c] - sum_j dp[r,j] p[r,j]), p = probs, dp = dprobs
//   probs, dprobs, dlogits: rows x cols, row-major. LANES threads share a row, each taking every LANES-th column.
{% include "rows/rows.wgsl" %}
{% import "rows/items.wgsl" as items %}

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> dprobs: array<f32>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;

alias Item = vec2<f32>; // p, dp

fn item(at: Place, c: u32) -> vec2<f32> {
  return vec2(probs[at.start + c], dprobs[at.start + c]);
}

fn row_work(at: Place) {
{{ items.hold() }}
  var dot = 0.0;
{% call(j, x) items.each_in_runs("var run = 0.0;", "dot += run;") %}
      run += {{ x }}.x * {{ x }}.y;
{% endcall %}
  dot = lanes_sum(at.local, dot);

{% call(j, x) items.each() %}
    dlogits[at.start + column(at, {{ j }})] = {{ x }}.x * ({{ x }}.y - dot);
{% endcall %}
}
