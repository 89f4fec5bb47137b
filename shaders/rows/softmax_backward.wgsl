// softmax_backward: dlogits[r,c] = p[r,c] * (dp[r,c] - sum_j dp[r,j] p[r,j]), p = probs, dp = dprobs
//   probs, dprobs, dlogits: rows x cols, row-major. LANES threads share a row, each taking every LANES-th column.
{% set again = true %}
{% include "rows/rows.wgsl" %}

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
  hold(at);
  var dot = 0.0;
  for (var first = 0u; first < steps(at); first += RUN) {
    var run = 0.0;
    for (var j = first; j < min(first + RUN, steps(at)); j++) {
      let both = value(at, j);
      if is_there(at, j) { run += both.x * both.y; }
    }
    dot += run;
  }
  dot = lanes_sum(at.local, dot);

  for (var j = 0u; j < steps(at); j++) {
    let both = value(at, j);
    if is_there(at, j) { dlogits[at.start + column(at, j)] = both.x * (both.y - dot); }
  }
}
