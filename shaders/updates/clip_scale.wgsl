// clip_scale: scale[0] = min(1, max_norm / (sqrt(sum of squares) + epsilon)): 0 for an infinite sum, NaN for NaN
//   squares: `count` values; scale: one. One workgroup.
{% include "common.wgsl" %}
{% include "updates/group_sum.wgsl" %}

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
  // By the bits: WGSL lets an implementation assume that neither NaN nor infinity occurs.
  if is_nan(sum) {
    scale[0] = params.nan;
  } else if bitcast<u32>(sum) == INFINITY_BITS {
    scale[0] = 0.0;
  } else {
    scale[0] = min(1.0, params.max_norm / (sqrt(sum) + params.epsilon));
  }
}
