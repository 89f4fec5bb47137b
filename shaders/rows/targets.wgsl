// targets: what each row should be: class ids, one u32 a row; or, with DISTRIBUTIONS, the bits of one f32 a class. The
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
