// softmax:     out[r,c] = exp(x[r,c] - m_r) / s_r,  s_r = sum_j exp(x[r,j] - m_r),  m_r = max_j x[r,j],  x = logits
// log_softmax: out[r,c] = x[r,c] - m_r - ln(s_r)                                    (LOG)
//   logits, out: rows x cols, row-major. LANES threads share a row, each taking every LANES-th column.
//   A row with NaN or +inf, or of nothing but -inf, is NaN throughout.

struct Params {
  window: Window,
}

override LOG: bool;

@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn row_work(at: Place) {
  var peak = Peak(0u, 0u);
  for (var c = at.lane; c < at.cols; c += LANES) {
    peak = higher(peak, Peak(order_key(logits[at.start + c]), c));
  }
  peak = row_peak(at, 0u, peak);
  let bad = is_bad(peak);
  let top = from_key(peak.key);

  var sum = 0.0;
  for (var first = at.lane; first < at.cols; first += RUN * LANES) {
    var run = 0.0;
    for (var c = first; c < min(first + RUN * LANES, at.cols); c += LANES) {
      run += exp_below(logits[at.start + c], top);
    }
    sum += run;
  }
  sum = row_sum(at, 1u, sum);

  let log_sum = log(sum);
  for (var c = at.lane; c < at.cols; c += LANES) {
    let x = logits[at.start + c];
    var value = exp_below(x, top) / sum;
    if LOG { value = select((x - top) - log_sum, x, is_negative_infinity(x)); }
    out[at.start + c] = select(value, params.window.nan, bad);
  }
}
