// targets: the class of each row as a u32, or, with DISTRIBUTIONS, the share of each class in each row as the bits of an f32. The
//   kernel declares `targets: array<u32>`.

override DISTRIBUTIONS: bool;
{% if inputs is defined %}

// The class of a row's target: its id, or the first maximum of its distribution.
fn row_class(at: RowThread) -> u32 {
  if DISTRIBUTIONS {
    var maximum = RowMaximum(0u, 0u);
    for (var c = at.local.x; c < at.cols; c += LANES) {
      maximum = raised_to(maximum, order_key(bitcast<f32>(targets[at.start + c])), c);
    }
    return lanes_maximum(at.local, maximum).col;
  }
  if at.inside { return targets[at.row]; }
  return 0u;
}
{% endif %}
