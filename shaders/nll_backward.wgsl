// nll_backward: dprobs[r,c] = -y[r,c] / (clip(probs[r,c], low, high) * rows), y the row's one-hot or distribution
//   probs, dprobs: rows x cols, row-major, `count` elements; targets: a class id a row, or rows x cols.
//   A class id out of range makes its row NaN. Element by element, as elements.wgsl hands them out.

struct Params {
  count: u32,
  cols: u32,
  first_col: u32, // the number of the first column, where a row comes in pieces
  classes: u32,
  rows: f32,
  low: f32,
  high: f32,
  nan: f32,
}

@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> dprobs: array<f32>;

fn element(i: u32) {
  let row = i / params.cols;
  let c = i % params.cols;
  let share = target_share(row, i - c, c, params.first_col);
  let p = probs[i];
  let slope = -share / (clamp(p, params.low, params.high) * params.rows);
  // 0 where the class has no share, whatever p is; NaN where it has one and p is NaN.
  var value = select(0.0, select(slope, params.nan, is_nan(p)), share != 0.0);
  if !DISTRIBUTIONS { value = select(params.nan, value, targets[row] < params.classes); }
  dprobs[i] = value;
}
