// softmax:     out[r,c] = exp(x[r,c] - m_r) / s_r,  s_r = sum_j exp(x[r,j] - m_r),  m_r = max_j x[r,j],  x = logits
// log_softmax: out[r,c] = x[r,c] - m_r - ln(s_r)                                    (LOG)
//   logits, out: rows x cols, row-major. LANES threads share a row, each taking every LANES-th column.
//   A row with NaN or +inf, or of nothing but -inf, is NaN throughout.
{% include "rows/rows.wgsl" %}
{% import "rows/items.wgsl" as items %}

struct Params {
  window: Window,
}

override LOG: bool;

@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

alias Item = f32;

fn item(at: Place, c: u32) -> f32 {
  return logits[at.start + c];
}

fn row_work(at: Place) {
{{ items.hold() }}
  var peak = Peak(0u, 0u);
{% call(j, x) items.each() %}
    peak = higher(peak, Peak(order_key({{ x }}), column(at, {{ j }})));
{% endcall %}
  peak = lanes_peak(at.local, peak);
  let bad = is_bad(peak);
  let top = from_key(peak.key);

  var sum = 0.0;
{% call(j, x) items.each_in_runs("var run = 0.0;", "sum += run;") %}
      run += exp_below({{ x }}, top);
{% endcall %}
  sum = lanes_sum(at.local, sum);

  let log_sum = log(sum);
{% call(j, x) items.each() %}
    {
      var result = exp_below({{ x }}, top) / sum;
      if LOG { result = select(({{ x }} - top) - log_sum, {{ x }}, is_negative_infinity({{ x }})); }
      out[at.start + column(at, {{ j }})] = select(result, params.window.nan, bad);
    }
{% endcall %}
}
