// argmax: classes[r] = the first column of x[r,..] that holds the row's maximum; the first NaN where there is one
//   x: rows x cols, row-major; classes: a u32 a row. LANES threads share a row, each taking every LANES-th column.
{% include "rows/rows.wgsl" %}

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> classes: array<u32>;

fn row_work(at: Place) {
  var peak = Peak(0u, 0u);
  for (var c = at.lane; c < at.cols; c += LANES) {
    peak = higher(peak, Peak(order_key(x[at.start + c]), c));
  }
  peak = lanes_peak(at.local, peak);
  if at.inside && at.lane == 0u { classes[at.row] = peak.col; }
}
