// squared_norm: squares[first + g] = sum of dw[i]^2 over the values i of workgroup g. A thread takes every (groups * THREADS)-th of
//   the `count` values; padding is not counted.
//   dw: gradients, range by range as updates.wgsl finds them, by single ones or fours; squares: one a workgroup.
// clip_scale: scale[0] = min(1, max_norm / (sqrt(sum of squares) + epsilon)): 0 for an infinite sum, NaN for NaN
//   squares: `count` values; scale: one. One workgroup.
{% include "common.wgsl" %}
{% if kernel == "squared_norm" %}{% include "updates/updates.wgsl" %}{% endif %}

override THREADS: u32;
override FAN: u32;

var<workgroup> group_values: array<f32, THREADS>;

// The sum of the values of a workgroup's threads, along a fixed tree; only the first thread has it. The first of every FAN threads
// adds the values of its FAN threads, then the first thread adds these sums. Every thread must take part.
fn group_sum(thread: u32, mine: f32) -> f32 {
  let heads = max(THREADS / FAN, 1u);
  group_values[thread] = mine;
  workgroupBarrier();
  if thread < heads {
    var sum = mine;
    for (var i = thread + heads; i < THREADS; i += heads) { sum += group_values[i]; }
    group_values[thread] = sum;
  }
  workgroupBarrier();
  var sum = group_values[0];
  for (var i = 1u; i < heads; i++) { sum += group_values[i]; }
  return sum;
}
{% if kernel == "squared_norm" %}

struct Params {
  ranges: array<ParameterRange, RANGES>,
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
    let range = range_of(i);
    let slope = masked_tail(raw_gradient(i, range), i, range.filled);
    sum += slope * slope;
  }
  let total = group_sum(thread, sum_of_words(sum));
  if thread == 0u && group < params.groups { squares[params.first + group] = total; }
}
{% else %}

struct Params {
  count: u32,
  max_norm: f32,
  epsilon: f32,
  nan: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> squares: array<f32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var i = thread; i < params.count; i += THREADS) { sum += squares[i]; }
  sum = group_sum(thread, sum);
  if thread != 0u { return; }
  // The test looks at the bits, since WGSL lets an implementation assume that neither NaN nor infinity occurs.
  if is_nan(sum) {
    scale[0] = params.nan;
  } else if bitcast<u32>(sum) == INFINITY_BITS {
    scale[0] = 0.0;
  } else {
    scale[0] = min(1.0, params.max_norm / (sqrt(sum) + params.epsilon));
  }
}
{% endif %}
