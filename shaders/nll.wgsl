// nll: losses[r] = -ln clip(probs[r,t], low, high), t the row's class;
//      with DISTRIBUTIONS the sum over c of y[r,c] times that, y the row's distribution
//   probs: rows x cols, row-major; targets: a class id a row, or rows x cols; losses: rows x 1.
//   LANES threads share a row. A NaN that the row reads, or a class out of range, makes the loss NaN.

struct Params {
  window: Window,
  low: f32,
  high: f32,
}

@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

fn surprise(p: f32) -> f32 {
  return select(-log(clamp(p, params.low, params.high)), params.window.nan, is_nan(p));
}

fn row_work(at: Place) {
  var loss = 0.0;
  if DISTRIBUTIONS {
    for (var c = at.lane; c < at.cols; c += LANES) {
      loss += target_share(at.row, at.start, c, 0u) * surprise(probs[at.start + c]);
    }
    loss = row_sum(at, 0u, loss);
  } else if at.inside {
    let class_id = targets[at.row];
    let c = class_id - params.window.first_col; // wraps where the class lies before the window
    if c < at.cols { loss = surprise(probs[at.start + c]); }
    loss = select(params.window.nan, row_only(at, 0u, loss), class_id < params.window.row_length);
  }
  if at.inside && at.lane == 0u { losses[at.row] = loss; }
}
