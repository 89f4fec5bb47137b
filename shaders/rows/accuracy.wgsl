// accuracy: a row is correct where its first maximum is its class, or its distribution's first maximum; a row
//   with NaN is not correct. The records count correct rows and all rows; their other fields are 0.
//   scores: rows x cols, row-major; targets: a class id a row, or rows x cols; records: one a workgroup.
//   LANES threads share a row; ROWS rows share a workgroup and its record.
{% set inputs = {"x": "scores"} %}
{% include "rows/along.wgsl" %}
{% include "rows/records.wgsl" %}
{% include "rows/targets.wgsl" %}

struct Params {
  window: Window,
}

@group(0) @binding(1) var<storage, read> scores: array<{{ row_cell }}>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> records: array<Record>;

fn row_work(at: RowThread) {
{{ load_values() }}
  var maximum = RowMaximum(0u, 0u);
{% call each_value() %}
        maximum = raised_to(maximum, order_key(x), c);
{% endcall %}
  maximum = lanes_maximum(at.local, maximum);
  let class_id = row_class(at);
  let hit = at.inside && maximum.key != NAN_KEY && maximum.col == class_id;
  let total = group_record(at, Record(0.0, 0.0, u32(hit), u32(at.inside), 0u, NO_ROW));
  if at.inside && at.lane == 0u && at.local.y == 0u { records[at.group] = total; }
}
