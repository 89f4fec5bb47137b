// targets: what each row should be. Class ids, one u32 a row; or, with DISTRIBUTIONS, the bits of one f32 a class.
// The kernel declares `targets: array<u32>`.

override DISTRIBUTIONS: bool;

// The share of class first_col + c in a row whose id is class_id, or whose distribution has that class at start + c.
fn target_share(class_id: u32, start: u32, c: u32, first_col: u32) -> f32 {
  if DISTRIBUTIONS { return bitcast<f32>(targets[start + c]); }
  return select(0.0, 1.0, class_id == first_col + c);
}

