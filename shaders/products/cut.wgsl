// cut: scales the numbers of a product's factor and cuts each into two f16 halves, for matmul_units.wgsl.
//   A line is a row of a or a column of b. ALONG: x is lines x steps, row-major, and this kernel finds largest[line], the maximum of
//   |x| over the steps. Otherwise x is steps x lines, and largest.wgsl has found the maxima.
//   Of each number x, with its line's power of two s (scale.wgsl):
//     high = the first 11 bits of s x,  low = 2048 (s x - high)
//   out: padded_lines x padded_steps words. A line has the high halves of BK steps, then the low halves of these steps, and so on.
//   Steps behind the end are 0, or NaN if the line has NaN or infinity. Lines behind the end may hold either; their sums are not
//   stored.
//   ALONG: a workgroup owns a line. Otherwise it owns LINES lines of BK steps, which it transposes in workgroup memory. A thread
//   handles EACH = 8 steps at a time.

enable f16;
{% include "products/scale.wgsl" %}
struct Params {
  lines: u32,
  steps: u32,
  padded_lines: u32, // a multiple of LINES
  padded_steps: u32, // a multiple of BK
}

// The bit of an f32 that is the last of the number's first 11 bits.
const LAST_BIT: u32 = 0x2000u;
// The smallest normal f16, 2^-14. A smaller number has the high half 0, and its low half holds the whole number.
const SMALLEST: u32 = 0x38800000u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<{{ "vec4<f32>" if VECTORS else "f32" }}>;
@group(0) @binding(2) var<storage, read_write> largest: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f16>>;

// The high halves. Numbers are rounded by their bits, because compilers may replace f32(f16(v)) by v.
fn first_bits(values: vec4<f32>) -> vec4<f32> {
  let bits = (bitcast<vec4<u32>>(values) + LAST_BIT / 2u) & vec4(~(LAST_BIT - 1u));
  let rounded = bitcast<vec4<f32>>(bits);
  return select(rounded, vec4(0.0), abs(rounded) < vec4(bitcast<f32>(SMALLEST)));
}

// Cuts eight steps of a line and stores both halves.
fn put(line: u32, step: u32, one: vec4<f32>, other: vec4<f32>) {
  let at = line * (params.padded_steps / 2u) + step / BK * (BK / 2u) + step % BK / 4u;
  let one_high = first_bits(one);
  let other_high = first_bits(other);
  out[at] = vec4<f16>(one_high);
  out[at + 1u] = vec4<f16>(other_high);
  out[at + BK / 4u] = vec4<f16>((one - one_high) * REST);
  out[at + BK / 4u + 1u] = vec4<f16>((other - other_high) * REST);
}
{% if ALONG %}

var<workgroup> found: array<u32, THREADS>;

// Four steps of a line, from `step` on; 0 behind the ends.
fn four_of(line: u32, step: u32) -> vec4<f32> {
  {% if VECTORS %}
  let inside = (line < params.lines) & (step < params.steps); // no branch, since the loads would wait behind it
  return select(vec4(0.0), x[select(0u, (line * params.steps + step) / 4u, inside)], inside);
  {% else %}
  let inside = vec4(step) + vec4(0u, 1u, 2u, 3u) < vec4(select(0u, params.steps, line < params.lines));
  let at = select(vec4(0u), vec4(line * params.steps + step) + vec4(0u, 1u, 2u, 3u), inside);
  return select(vec4(0.0), vec4(x[at.x], x[at.y], x[at.z], x[at.w]), inside);
  {% endif %}
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let line = flat(id, count);
  if line >= params.padded_lines { return; }
  var most = vec4(0u);
  // Four loads are started before the first is used. Behind the end the values are 0.
  for (var step = 4u * thread; step < params.steps; step += 4u * 4u * THREADS) {
    {% for e in range(4) %}
    let x_{{ e }} = bitcast<vec4<u32>>(four_of(line, step + {{ 4 * e }}u * THREADS)) & vec4(~SIGN_BIT);
    {% endfor %}
    most = max(max(most, max(x_0, x_1)), max(x_2, x_3));
  }
  found[thread] = max(max(most.x, most.y), max(most.z, most.w));
  for (var apart = THREADS / 2u; apart > 0u; apart /= 2u) {
    workgroupBarrier();
    if thread < apart { found[thread] = max(found[thread], found[thread + apart]); }
  }
  workgroupBarrier();
  if thread == 0u && line < params.lines { largest[line] = found[0]; }
  let scale = factor(found[0]);
  for (var step = EACH * thread; step < params.padded_steps; step += EACH * THREADS) {
    put(line, step, four_of(line, step) * scale, four_of(line, step + 4u) * scale);
  }
}
{% else %}

// One word of padding for each step, against bank conflicts.
const TILE: u32 = {{ BK * (LINES + 1) }}u;
var<workgroup> tile: array<f32, TILE>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = flat(id, count);
  let across = params.padded_lines / LINES;
  let line0 = group % across * LINES;
  let step0 = group / across * BK;
  if step0 >= params.padded_steps { return; }
  {% set each = 4 if VECTORS else 1 %}
  // All loads come before the first store, since a store between them would wait for each load.
  {% for i in range(LINES * BK // each // THREADS) %}
  let spot{{ i }} = (thread + {{ i * THREADS }}u) * {{ each }}u;
  let own_step{{ i }} = spot{{ i }} / LINES;
  let own_line{{ i }} = spot{{ i }} % LINES;
  let inside{{ i }} = (line0 + own_line{{ i }} < params.lines) & (step0 + own_step{{ i }} < params.steps);
  let at{{ i }} = select(0u, (step0 + own_step{{ i }}) * params.lines + line0 + own_line{{ i }}, inside{{ i }});
  let values{{ i }} = x[at{{ i }}{{ " / 4u" if VECTORS }}];
  {% endfor %}
  {% for i in range(LINES * BK // each // THREADS) %}
  {% for e in range(each) %}
  tile[own_step{{ i }} * {{ LINES + 1 }}u + own_line{{ i }} + {{ e }}u] = select(0.0, values{{ i }}{{ "." ~ "xyzw"[e] if VECTORS }}, inside{{ i }});
  {% endfor %}
  {% endfor %}
  workgroupBarrier();
  let line = thread / {{ BK // EACH }}u;
  let step = thread % {{ BK // EACH }}u * EACH;
  let scale = factor(largest[min(line0 + line, params.lines - 1u)]);
  let first = step * {{ LINES + 1 }}u + line;
  {% for half in range(2) %}
  let turned{{ half }} = vec4({% for e in range(4) %}tile[first + {{ (4 * half + e) * (LINES + 1) }}u]{{ "" if loop.last else ", " }}{% endfor %});
  {% endfor %}
  put(line0 + line, step0 + step, turned0 * scale, turned1 * scale);
}
{% endif %}
