// store: what becomes of a product's finished sums, for kernels that declare `Params` with these flags, 1 for yes:
//   accumulate: c += what it held, for a later window of k; biased: c += extra, the bias, 1 x n; relu: c = max(c, 0) (linear);
//   masked: c = c where extra, the outputs of a ReLU, m x n, is positive, else 0 (linear_backward).
// Flags, not overrides: a uniform branch costs nothing, a variant more to compile does.

@group(0) @binding(3) var<storage, read> extra: array<f32>; // bias or outputs; any buffer where there is neither
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

// The sum that belongs to column `col` of c, at `at`.
fn store(at: u32, col: u32, sum: f32) {
  var value = sum;
  if params.accumulate == 1u { value += c[at]; }
  if params.biased == 1u || params.masked == 1u { // one read for both: each takes software drivers time to compile
    let other = extra[select(at, col, params.biased == 1u)];
    value = select(passed(value, other), value + other, params.biased == 1u);
  }
  if params.relu == 1u { value = rectified(value); }
  c[at] = value;
}

