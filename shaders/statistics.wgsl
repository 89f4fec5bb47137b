// statistics: joins ROWS records into one; the host repeats it until one is left.
//   records: each a row to rows.wgsl (LANES is 1); out: one a workgroup.

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read_write> out: array<Record>;

fn row_work(at: Place) {
  var mine = Record(0.0, 0.0, 0u, 0u, 0u, NO_ROW);
  if at.inside { mine = records[at.row]; }
  let total = group_record(at, mine);
  if at.inside && at.local.y == 0u { out[at.group] = total; }
}
