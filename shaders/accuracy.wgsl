// accuracy: a row is correct where its first maximum is its class, or its distribution's first maximum; with NaN it
//   is not. The records carry correct and rows; the rest of them is 0.
//   x: rows x cols, row-major; targets: a class id a row, or rows x cols; records: one a workgroup.
//   LANES threads share a row, each taking every LANES-th column; ROWS rows share a workgroup and its record.

struct Params {
  rows: u32,
  cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> records: array<Record>;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let group = flat(id, count);
  let row = group * ROWS + local.y;
  let start = row * params.cols;
  let inside = row < params.rows;
  let cols = select(0u, params.cols, inside);

  var peak = Peak(0u, 0u);
  var target_peak = Peak(0u, 0u);
  for (var c = local.x; c < cols; c += LANES) {
    peak = higher(peak, Peak(order_key(x[start + c]), c));
    if DISTRIBUTIONS {
      target_peak = higher(target_peak, Peak(order_key(bitcast<f32>(targets[start + c])), c));
    }
  }
  peak = row_peak(local.xy, peak);
  var class_id = 0u;
  if DISTRIBUTIONS {
    class_id = row_peak(local.xy, target_peak).col;
  } else if inside {
    class_id = targets[row];
  }
  let hit = inside && peak.key != NAN_KEY && peak.col == class_id;
  let total = group_record(local.xy, Record(0.0, 0.0, u32(hit), u32(inside), 0u, NO_ROW));
  if inside && local.x == 0u && local.y == 0u { records[group] = total; }
}
