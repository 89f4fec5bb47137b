// statistics: out[g] = the records of workgroup g's ROWS rows, joined
//   records: one for each row (LANES is 1); out: one for each workgroup. The host repeats the launch until few records are left.
{% include "rows/records.wgsl" %}

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read_write> out: array<Record>;

fn row_work(at: RowThread) {
  var mine = Record(0.0, 0.0, 0u, 0u, 0u, NO_ROW);
  if at.inside { mine = records[at.row]; }
  let total = group_record(at, mine);
  if at.inside && at.local.y == 0u { out[at.group] = total; }
}
