// store_by_one: four sums, one by one; those behind the last column are left out. All loops count from a column that
//   compilers do not know: unrolled, they would take software drivers long to compile.

// The sums that belong to columns col .. col + 3 of c, from word `at` on.
fn store(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { finish(at + i - col, i, sums[i - col]); }
}

// The same without what becomes of them.
fn put(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { c[at + i - col] = closed(sums[i - col]); }
}

// The same, added to what was put there.
fn add(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { c[at + i - col] = closed(opened(c[at + i - col]) + sums[i - col]); }
}

// What becomes of those that were put there.
fn store_again(at: u32, col: u32) {
  for (var i = col; i < min(col + 4u, params.n); i++) { conclude(at + i - col, i, opened(c[at + i - col])); }
}

