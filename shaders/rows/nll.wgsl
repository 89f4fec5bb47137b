// nll: losses[r] = sum over c of q[c] * -ln clip(probs[r,c], low, high), q the row's masses (masses.wgsl);
//   without smoothing, only the mass of a row's class id is not 0
//   probs: rows x cols, row-major; targets: a class id a row, or rows x cols; weights: 1 x cols, where weighted; samples:
//   rows x 1, where sampled; losses: rows x 1.
//   LANES threads share a row, and each adds its classes in runs of RUN. The loss is NaN if a probability that is read is NaN, or if
//   the class is out of range; a row that is ignored gives 0.
{% include "rows/rows.wgsl" %}
{% include "rows/masses.wgsl" %}

struct Params {
  window: Window,
  loss: LossParameters,
  low: f32,
  high: f32,
}

@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(4) var<storage, read> samples: array<f32>; // any buffer where not sampled
@group(0) @binding(5) var<storage, read> divisor: array<f32>; // any buffer: nothing is divided here
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;

fn negative_log(p: f32) -> f32 {
  return select(-log(clamp(p, params.low, params.high)), params.window.nan, is_nan(p));
}

fn row_work(at: RowThread) {
  let window = params.window;
  var class_id = 0u;
  if !DISTRIBUTIONS && at.inside { class_id = targets[at.row]; }
  var loss = 0.0;
  if DISTRIBUTIONS || params.loss.smoothing != 0.0 {
    for (var first = at.lane; first < at.cols; first += RUN * LANES) {
      var run = 0.0;
      for (var c = first; c < min(first + RUN * LANES, at.cols); c += LANES) {
        run += class_mass(class_id, at.start, c) * negative_log(probs[at.start + c]);
      }
      loss += run;
    }
    loss = lanes_sum(at.local, loss);
  } else if at.lane == 0u && class_id < at.cols {
    loss = weight(class_id) * negative_log(probs[at.start + class_id]);
  }
  if at.inside && at.lane == 0u {
    let known = select(window.nan, row_weight(at.row) * loss, class_id < window.cols);
    losses[at.row] = select(known, 0.0, is_ignored(class_id, window.cols));
  }
}
