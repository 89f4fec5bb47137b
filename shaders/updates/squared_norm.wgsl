// squared_norm: squares[first + g] = sum of dw[i]^2 over the values i of workgroup g, whose threads take every
//   groups * THREADS-th of `count`; padding counts nothing.
//   dw: gradients, segment by segment as segments.wgsl finds them, by single ones or fours; squares: one a workgroup.
{% include "common.wgsl" %}
{% if fours %}{% include "elements/by_four.wgsl" %}{% else %}{% include "elements/by_one.wgsl" %}{% endif %}
{% if longs %}{% include "elements/longs.wgsl" %}{% include "elements/cells_by_long.wgsl" %}{% else %}{% include "elements/cells.wgsl" %}{% endif %}
{% include "updates/segments.wgsl" %}
{% include "updates/group_sum.wgsl" %}

struct Params {
  segments: array<Segment, SEGMENTS>,
  count: u32,
  groups: u32,
  first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<Cell>;
@group(0) @binding(2) var<storage, read_write> squares: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = flat(id, count);
  var sum = Value(0.0);
  for (var i = group * THREADS + thread; i < params.count; i += params.groups * THREADS) {
    let segment = segment_of(i);
    let slope = filled(raw_gradient(i, segment), i, segment.filled);
    sum += slope * slope;
  }
  let total = group_sum(thread, added(sum));
  if thread == 0u && group < params.groups { squares[params.first + group] = total; }
}
