// softmax:     out[r,c] = exp(x[r,c] - m_r) / s_r,  s_r = sum_j exp(x[r,j] - m_r),  m_r = max_j x[r,j],  x = logits
// log_softmax: out[r,c] = x[r,c] - m_r - ln(s_r)                                    (LOG)
//   logits, out: rows x cols, row-major. LANES threads share a row.
//   A row that contains NaN or +inf, or only -inf, has NaN in every column.
{% set inputs = {"x": "logits"} %}
{% include "rows/streaming.wgsl" %}

struct Params {
  window: Window,
}

override LOG: bool;

@group(0) @binding(1) var<storage, read> logits: array<{{ row_cell }}>;
@group(0) @binding(2) var<storage, read_write> out: array<{{ row_cell }}>;

fn row_work(at: RowThread) {
{{ load_values() }}
{% if in_pieces %}
{% call maximum_and_sum() %}{% endcall %}
  let top = from_top_key(key);
{% else %}
  var key = 0u;
{% call each_value() %}
        key = max(key, top_key(x));
{% endcall %}
  key = lanes_top_key(at.local, key);
  let top = from_top_key(key);

  var sum = 0.0;
{% call sum_values("sum", "f32", "x") %}
        let term = exp_below(x, top);
        run += term;
        let kept = select(term, x, LOG);
{% endcall %}
  sum = lanes_sum(at.local, sum);
{% endif %}

  let bad = is_bad(key);
  let log_sum = log(sum);
  let inverse = 1.0 / sum;
{% call store_results("out") %}
        var result = {{ "x" if keeps else "exp_below(x, top)" }} {{ over_sum }};
        if LOG { result = select((x - top) - log_sum, x, is_negative_infinity(x)); }
        result = select(result, params.window.nan, bad);
{% endcall %}
}
