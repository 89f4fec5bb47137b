// store_by_four: four sums at once. Every row of c begins at a multiple of four words.

// The sums that belong to columns col .. col + 3 of c, from word `at` on; nothing behind the last column.
fn store(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { finish(at / 4u, col / 4u, sums); }
}

// The same without what becomes of them.
fn put(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { c[at / 4u] = closed(sums); }
}

// The same, added to what was put there.
fn add(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { c[at / 4u] = closed(opened(c[at / 4u]) + sums); }
}

// What becomes of those that were put there.
fn store_again(at: u32, col: u32) {
  if col < params.n { conclude(at / 4u, col / 4u, opened(c[at / 4u])); }
}

