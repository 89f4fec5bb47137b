// softmax_backward: dlogits[r,c] = p[r,c] * (dp[r,c] - sum_j dp[r,j] p[r,j]), p = probs, dp = dprobs
//   probs, dprobs, dlogits: rows x cols, row-major. LANES threads share a row.
{% set inputs = {"dp": "dprobs", "p": "probs"} %}
{% include "rows/along.wgsl" %}

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> probs: array<{{ row_cell }}>;
@group(0) @binding(2) var<storage, read> dprobs: array<{{ row_cell }}>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<{{ row_cell }}>;

fn row_work(at: RowThread) {
{{ load_values() }}
  var dot = 0.0;
{% call sum_values("dot", "f32") %}
        run += p * dp;
{% endcall %}
  dot = lanes_sum(at.local, dot);

{% call store_results("dlogits") %}
        let result = p * (dp - dot);
{% endcall %}
}
