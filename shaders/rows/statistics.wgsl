// statistics: joins ROWS records into one; the host repeats it until one is left.
//   records: each a row to rows.wgsl (LANES is 1); out: one a workgroup.
{% include "common.wgsl" %}
{% include "rows/rows.wgsl" %}
{% include "rows/place.wgsl" %}
{% if subgroups %}{% include "rows/each_row_by_subgroup.wgsl" %}{% else %}{% include "rows/each_row.wgsl" %}{% endif %}
{% if subgroups %}{% include "rows/lanes_by_subgroup.wgsl" %}{% else %}{% include "rows/lanes_by_memory.wgsl" %}{% endif %}
{% include "rows/record.wgsl" %}
{% include "rows/record_by_memory.wgsl" %}

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
