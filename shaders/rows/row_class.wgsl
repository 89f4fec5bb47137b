// row_class: the class of a row's target, from targets.wgsl: its id, or the first maximum of its distribution.

fn row_class(at: Place) -> u32 {
  if DISTRIBUTIONS {
    var peak = Peak(0u, 0u);
    for (var c = at.lane; c < at.cols; c += LANES) {
      peak = higher(peak, Peak(order_key(bitcast<f32>(targets[at.start + c])), c));
    }
    return lanes_peak(at.local, peak).col;
  }
  if at.inside { return targets[at.row]; }
  return 0u;
}

