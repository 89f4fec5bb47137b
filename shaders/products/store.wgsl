// store: what becomes of a product's finished sums, for kernels that declare `Params` with n and these flags, 1 for yes:
//   accumulate: c += what it held, for a later window of k; biased: c += extra, the bias, 1 x n; relu: c = max(c, 0) (linear);
//   masked: c = c where extra, the outputs of a ReLU, m x n, is positive, else 0 (linear_backward).
// Flags, not overrides: a uniform branch costs nothing, a variant more to compile does.
// How four neighbouring sums go to `store` is store_by_one.wgsl's or, where n is a multiple of four, store_by_four.wgsl's.

@group(0) @binding(3) var<storage, read> extra: array<Cell>; // bias or outputs; any buffer where there is neither
@group(0) @binding(4) var<storage, read_write> c: array<Cell>;

// The sums that belong to c[at], in column `col`; both counted in values.
fn finish(at: u32, col: u32, sums: Value) {
  var value = sums;
  if params.accumulate == 1u { value += opened(c[at]); }
  conclude(at, col, value);
}

// The same once they are whole.
fn conclude(at: u32, col: u32, sums: Value) {
  var value = sums;
  if params.biased == 1u || params.masked == 1u { // one read for both: each takes software drivers time to compile
    let other = opened(extra[select(at, col, params.biased == 1u)]);
    value = select(passed(value, other), value + other, params.biased == 1u);
  }
  if params.relu == 1u { value = rectified(value); }
  c[at] = closed(value);
}

