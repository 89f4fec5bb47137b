// nll_backward: dprobs[r,c] = -y[r,c] / (clip(probs[r,c], low, high) * rows), y the row's one-hot or distribution
//   probs, dprobs: rows x cols, row-major, `count` elements; targets: a class id a row, or rows x cols.
//   Element by element, as elements.wgsl hands them out.

struct Params {
  count: u32,
  cols: u32,
  rows: f32,
  low: f32,
  high: f32,
  nan: f32,
}

@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> dprobs: array<f32>;

fn element(i: u32) {
  let c = i % params.cols;
  let share = target_share(i / params.cols, i - c, c);
  let p = probs[i];
  let slope = -share / (clamp(p, params.low, params.high) * params.rows);
  // 0 where the class has no share, whatever p is; NaN where it has one and p is NaN.
  dprobs[i] = select(0.0, select(slope, params.nan, is_nan(p)), share != 0.0);
}
