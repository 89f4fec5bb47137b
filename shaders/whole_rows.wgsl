// whole_rows: a row's reductions, where its lanes see all of it. `nth` numbers them within the kernel, from 0.

fn row_peak(at: Place, nth: u32, mine: Peak) -> Peak {
  return lanes_peak(at.local, mine);
}

fn row_sum(at: Place, nth: u32, mine: f32) -> f32 {
  return lanes_sum(at.local, mine);
}

// What a single column has, as the row's first lane found it there; 0 elsewhere. For the first lane.
fn row_only(at: Place, nth: u32, mine: f32) -> f32 {
  return mine;
}

