// row_class: the class of a row's target, from targets.wgsl: its id, or the first maximum of its distribution, which is the
// kernel's nth reduction.

fn row_class(at: Place, nth: u32) -> u32 {
  if DISTRIBUTIONS {
    var peak = Peak(0u, 0u);
    for (var c = at.lane; c < at.cols; c += LANES) {
      peak = higher(peak, Peak(order_key(bitcast<f32>(targets[at.start + c])), params.window.first_col + c));
    }
    return row_peak(at, nth, peak).col;
  }
  if at.inside { return targets[at.row]; }
  return 0u;
}

