// softmax_cross_entropy: for each row r with logits x, p = softmax(x), C = cols,
//   q[c]         = w[c] * ((1 - smoothing) * y[c] + smoothing / C)    y: the row's one-hot or distribution
//   losses[r]    = sum_c q[c] * -ln p[c]
//   dlogits[r,c] = (p[c] * sum_j q[j] - q[c]) * scale                 scale: 1, or 1 / the mean's divisor
//   logits, dlogits: rows x cols, row-major; targets: a class id a row, or rows x cols; weights: 1 x cols, where
//   weighted; divisor: 1 x 1, where divided; losses: rows x 1; records: one a workgroup.
//   LANES threads share a row, each taking every LANES-th column; ROWS rows share a workgroup and its record.
//   A row of the ignored class gives 0 and is not counted; a row without a softmax gives NaN and is.

struct Params {
  window: Window,
  smoothing: f32,
  scale: f32,
  ignored: u32, // NO_ROW where no class is ignored
  weighted: u32, // 1 for yes: a uniform branch costs nothing, a variant more to compile does
  divided: u32,
}

@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(4) var<storage, read> divisor: array<f32>; // any buffer where not divided
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;
@group(0) @binding(7) var<storage, read_write> records: array<Record>;

fn logit(at: Place, c: u32) -> f32 {
  return logits[at.start + c];
}

// Of the class in column c of the window.
fn weight(c: u32) -> f32 {
  if params.weighted == 1u { return weights[c]; }
  return 1.0;
}

fn gradient_scale() -> f32 {
  if params.divided == 1u { return 1.0 / divisor[0]; }
  return params.scale;
}
