// store_by_one: four sums, one by one; those behind the last column are left out.

// The sums that belong to columns col .. col + 3 of c, from word `at` on.
fn store(at: u32, col: u32, sums: vec4<f32>) {
  for (var e = 0u; e < 4u; e++) {
    if col + e < params.n { finish(at + e, col + e, sums[e]); }
  }
}

// The same without what becomes of them.
fn put(at: u32, col: u32, sums: vec4<f32>) {
  for (var e = 0u; e < 4u; e++) {
    if col + e < params.n { c[at + e] = closed(sums[e]); }
  }
}

// The same, added to what was put there.
fn add(at: u32, col: u32, sums: vec4<f32>) {
  for (var e = 0u; e < 4u; e++) {
    if col + e < params.n { c[at + e] = closed(opened(c[at + e]) + sums[e]); }
  }
}

// What becomes of those that were put there.
fn store_again(at: u32, col: u32) {
  for (var e = 0u; e < 4u; e++) {
    if col + e < params.n { conclude(at + e, col + e, opened(c[at + e])); }
  }
}

