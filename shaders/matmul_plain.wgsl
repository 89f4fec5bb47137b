// matmul_plain: c = a b, then what matmul.wgsl can do with it, an output a thread: for small products on software drivers,
//   where every launch more costs more than the product.
//   a: m x k with a[r,s] at r a_row + s a_step, b: k x n with b[s,c] at s b_step + c b_col; c: m x n, row-major.
//   With count = (m + 1) n the last n outputs are b's column sums, at sums_at.
//   Element by element, as elements.wgsl hands them out.

struct Params {
  count: u32,
  m: u32,
  n: u32,
  k: u32,
  a_row: u32,
  a_step: u32,
  b_step: u32,
  b_col: u32,
  sums_at: u32,
  biased: u32, // 1 for yes
  relu: u32,
  masked: u32,
  accumulate: u32, // 1 to add to what c holds: a later window of k
}

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> extra: array<f32>; // bias or outputs; any buffer where there is neither
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

fn element(i: u32) {
  let row = i / params.n;
  let col = i % params.n;
  let is_product = row < params.m;
  let a_start = select(0u, row * params.a_row, is_product);
  var value = 0.0;
  for (var s = 0u; s < params.k; s++) {
    let factor = select(1.0, a[a_start + s * params.a_step], is_product);
    value = fma(factor, b[s * params.b_step + col * params.b_col], value);
  }
  let at = select(params.sums_at + col, i, is_product);
  if params.accumulate == 1u { value += c[at]; }
  if params.biased == 1u { value += extra[col]; }
  if params.relu == 1u { value = rectified(value); }
  if params.masked == 1u { value = passed(value, extra[at]); }
  c[at] = value;
}
