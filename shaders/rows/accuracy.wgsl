// accuracy: a row is correct where its first maximum is its class, or its distribution's first maximum; with NaN it
//   is not. The records carry correct and rows; the rest of them is 0.
//   x: rows x cols, row-major; targets: a class id a row, or rows x cols; records: one a workgroup.
//   LANES threads share a row, each taking every LANES-th column; ROWS rows share a workgroup and its record.
{% include "rows/statistics.wgsl" %}
{% include "rows/targets.wgsl" %}

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> records: array<Record>;

fn row_work(at: Place) {
  var peak = Peak(0u, 0u);
  for (var c = at.lane; c < at.cols; c += LANES) {
    peak = higher(peak, Peak(order_key(x[at.start + c]), c));
  }
  peak = lanes_peak(at.local, peak);
  let class_id = row_class(at);
  let hit = at.inside && peak.key != NAN_KEY && peak.col == class_id;
  let total = group_record(at, Record(0.0, 0.0, u32(hit), u32(at.inside), 0u, NO_ROW));
  if at.inside && at.lane == 0u && at.local.y == 0u { records[at.group] = total; }
}
