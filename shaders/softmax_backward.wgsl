// softmax_backward: dlogits[r,c] = p[r,c] * (dp[r,c] - sum_j dp[r,j] p[r,j]), p = probs, dp = dprobs
//   probs, dprobs, dlogits: rows x cols, row-major. LANES threads share a row, each taking every LANES-th column.

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> dprobs: array<f32>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;

fn row_work(at: Place) {
  var dot = 0.0;
  for (var first = at.lane; first < at.cols; first += RUN * LANES) {
    var run = 0.0;
    for (var c = first; c < min(first + RUN * LANES, at.cols); c += LANES) {
      run += dprobs[at.start + c] * probs[at.start + c];
    }
    dot += run;
  }
  dot = row_sum(at, 0u, dot);

  for (var c = at.lane; c < at.cols; c += LANES) {
    dlogits[at.start + c] = probs[at.start + c] * (dprobs[at.start + c] - dot);
  }
}
