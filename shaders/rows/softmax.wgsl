// softmax:     out[r,c] = exp(x[r,c] - m_r) / s_r,  s_r = sum_j exp(x[r,j] - m_r),  m_r = max_j x[r,j],  x = logits
// log_softmax: out[r,c] = x[r,c] - m_r - ln(s_r)                                    (LOG)
//   logits, out: rows x cols, row-major. LANES threads share a row, each taking every LANES-th column.
//   A row with NaN or +inf, or of nothing but -inf, is NaN throughout.
{% set again = true %}
{% include "rows/rows.wgsl" %}

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
  hold(at);
  var peak = Peak(0u, 0u);
  for (var j = 0u; j < steps(at); j++) {
    if is_there(at, j) { peak = higher(peak, Peak(order_key(value(at, j)), column(at, j))); }
  }
  peak = lanes_peak(at.local, peak);
  let bad = is_bad(peak);
  let top = from_key(peak.key);

  var sum = 0.0;
  for (var first = 0u; first < steps(at); first += RUN) {
    var run = 0.0;
    for (var j = first; j < min(first + RUN, steps(at)); j++) {
      if is_there(at, j) { run += exp_below(value(at, j), top); }
    }
    sum += run;
  }
  sum = lanes_sum(at.local, sum);

  let log_sum = log(sum);
  for (var j = 0u; j < steps(at); j++) {
    let x = value(at, j);
    var result = exp_below(x, top) / sum;
    if LOG { result = select((x - top) - log_sum, x, is_negative_infinity(x)); }
    if is_there(at, j) { out[at.start + column(at, j)] = select(result, params.window.nan, bad); }
  }
}
