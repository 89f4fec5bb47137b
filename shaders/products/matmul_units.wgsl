// matmul_units: c = a b on matrix units           a: m x k, b: k x n, c: m x n, row-major
//   TRANSPOSE_A: a is stored k x m (matmul_tn); TRANSPOSE_B: b is stored n x k (matmul_nt).
//   The finished sums go through store.wgsl: bias, ReLU, mask.
//   The units multiply f16 and add in f32. Each row of a and each column of b is scaled by a power of two, so that its largest
//   number lies below 2^15, and each number v is cut in two: its first 11 bits, and the rest times 2048. Three products replace one:
//     a b = high high + (high low + low high) / 2048 + what is lost, low low and the ends of the rests: about 2^-22 |a| |b|.
//   Units may cut off what they add. So a sum stays in them for BK steps alone; what they have then is added to the sums in f32.
//   A workgroup owns a BM x BN tile of c and one slice of k, as in matmul.wgsl; each of its subgroups owns WM x WN of it, in matrices
//   of SIDE x SIDE. Workgroup memory holds both factors as they lie, a's and b's rows with 8 halves more, against bank conflicts.
//   A row of a or a column of b that has NaN or infinity is NaN in c.

{% set operands = 4 %}
{% set named = true %}
enable f16;
enable wgpu_cooperative_matrix;
{% include "products/store.wgsl" %}
struct Params {
  m: u32,
  n: u32,
  k: u32,
  slice: u32,  // length of a slice of k; a multiple of BK where there are several
  down: u32,   // tiles down c
  across: u32, // tiles across c
  slices: u32,
  stride: u32, // words from one slice's product to the next
  sums_at: u32,
  biased: u32,
  relu: u32,
  masked: u32,
  accumulate: u32,
  first_group: u32, // of this dispatch: a long product comes in several
}
{% set warps = (BM // WM) * (BN // WN) %}
{% set threads = warps * LANES %}
{% set wide = BN // WN %}
{# How each factor is staged: whether a row of memory runs along k, how many values of a row and how many rows a tile has, where the
   tile begins beside k, and the matrix's edge there. #}
{% set factors = [
  {"name": "a", "along": not TRANSPOSE_A, "length": BM, "edge": "params.m", "vectors": VECTORS_A, "first": "row0"},
  {"name": "b", "along": TRANSPOSE_B, "length": BN, "edge": "params.n", "vectors": VECTORS_B, "first": "col0"},
] %}
{% macro rows(f) %}{{ f.length if f.along else BK }}{% endmacro %}
{% macro groups(f) %}{{ (BK if f.along else f.length) // 4 }}{% endmacro %}
{% macro stride(f) %}{{ (BK if f.along else f.length) + 8 }}{% endmacro %}
{% macro apart(f) %}{{ threads // groups(f)|int }}{% endmacro %}
{% macro rounds(f) %}{{ rows(f)|int // apart(f)|int }}{% endmacro %}

const THREADS: u32 = {{ threads }}u;
const WARPS: u32 = {{ warps }}u;
// The last of a number's first 11 bits, where f32 has it.
const LAST_BIT: u32 = 0x2000u;
// What is smaller than 2^-14, the smallest f16 that is no subnormal, has no first bits: its rest is all of it.
const SMALLEST: u32 = 0x38800000u;
const REST: f32 = 2048.0;
// Exponents as f32 has them in its bits: that of 1; the sum of a factor's and its largest number's, 14 over twice that of 1; the
// largest one of a factor.
const EXPONENT_AT: u32 = 23u;
const ONE: i32 = 127;
const BOTH: u32 = 268u;
const LARGEST_FACTOR: u32 = 253u;

@group(0) @binding(0) var<uniform> params: Params;
{% for f in factors %}
@group(0) @binding({{ loop.index }}) var<storage, read> {{ f.name }}: array<{{ "vec4<f32>" if f.vectors else "f32" }}>;
@group(0) @binding({{ loop.index + 2 }}) var<storage, read> {{ f.name }}_largest: array<u32>; // largest.wgsl
{% endfor %}
{% for f in factors %}

const {{ f.name|upper }}_HALVES: u32 = {{ rows(f)|int * stride(f)|int }}u;
var<workgroup> {{ f.name }}_high: array<f16, {{ f.name|upper }}_HALVES>;
var<workgroup> {{ f.name }}_low: array<f16, {{ f.name|upper }}_HALVES>;

// Four neighbours of {{ f.name }}, from element `at` on. What lies behind the end is the last one instead: branches would keep
// loads from running ahead.
fn {{ f.name }}_four(at: u32) -> vec4<f32> {
  {% if ALIGNED %}
  return {{ f.name }}[at];
  {% elif f.vectors %}
  return {{ f.name }}[min(at, {{ f.edge }} * params.k / 4u - 1u)];
  {% else %}
  let places = min(vec4(at) + vec4(0u, 1u, 2u, 3u), vec4({{ f.edge }} * params.k - 1u));
  return vec4({% for e in "xyzw" %}{{ f.name }}[places.{{ e }}]{{ "" if loop.last else ", " }}{% endfor %});
  {% endif %}
}

// The power of two that scales row or column i of {{ f.name }}.
fn {{ f.name }}_factor(i: u32) -> f32 {
  return factor({{ f.name }}_largest[min(i, {{ f.edge }} - 1u)]);
}

fn stage_{{ f.name }}(at: u32, values: vec4<f32>) {
  let high = first_bits(values);
  let low = (values - high) * REST;
  {% for e in range(4) %}
  {{ f.name }}_high[at + {{ e }}u] = f16(high.{{ "xyzw"[e] }});
  {{ f.name }}_low[at + {{ e }}u] = f16(low.{{ "xyzw"[e] }});
  {% endfor %}
}
{% endfor %}

// Matrices on their way to c, one of each subgroup; column sums before them.
const SUMS: u32 = {{ [threads // LEAST_LANES * SIDE * SIDE, 4 * threads if COLUMN_SUMS else 0]|max }}u;
var<workgroup> sums: array<f32, SUMS>;

// NaN where there is NaN or infinity.
fn factor(largest: u32) -> f32 {
  let power = min(BOTH - (largest >> EXPONENT_AT), LARGEST_FACTOR) << EXPONENT_AT;
  return bitcast<f32>(select(power, largest | ~SIGN_BIT, largest >= INFINITY_BITS));
}

// The numbers, rounded to 11 bits: by their bits, because compilers take f32(f16(v)) for v.
fn first_bits(values: vec4<f32>) -> vec4<f32> {
  let bits = (bitcast<vec4<u32>>(values) + vec4(LAST_BIT / 2u)) & vec4(~(LAST_BIT - 1u));
  return select(bitcast<vec4<f32>>(bits), vec4(0.0), (bits & vec4(~SIGN_BIT)) < vec4(SMALLEST));
}

// Sums without their factors, in two steps: one alone may be out of range where both together are not.
fn unscaled(values: vec4<f32>, a_factor: f32, b_factors: vec4<f32>) -> vec4<f32> {
  let a_bits = vec4(bitcast<u32>(a_factor));
  let b_bits = bitcast<vec4<u32>>(b_factors);
  let at = vec4(EXPONENT_AT);
  let power = vec4(ONE + ONE) - vec4<i32>(a_bits >> at) - vec4<i32>(b_bits >> at);
  let half = power >> vec4(1u);
  let first = bitcast<vec4<f32>>(vec4<u32>(half + vec4(ONE)) << at);
  let second = bitcast<vec4<f32>>(vec4<u32>(power - half + vec4(ONE)) << at);
  let lost = (a_bits > vec4(INFINITY_BITS)) | (b_bits > vec4(INFINITY_BITS));
  return select(values * first * second, bitcast<vec4<f32>>(max(a_bits, b_bits)), lost);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let group = params.first_group + id.y * count.x + id.x; // as flat() has it, but the same for all threads in naga's eyes
  let number = group % (params.down * params.across);
  let slice = group / (params.down * params.across);
  if slice >= params.slices { return; }
  let row0 = (number / params.across) * BM;
  let col0 = (number % params.across) * BN;
  let k_begin = slice * params.slice;
  let k_end = min(k_begin + params.slice, params.k);
  // Where subgroups have fewer lanes than they may have, there are more of them: those do what others do, too, and store nothing.
  let warp = {{ "subgroup % WARPS" if LEAST_LANES < LANES else "subgroup" }};
  let warp_row = warp / {{ wide }}u * WM;
  let warp_col = warp % {{ wide }}u * WN;
  let side = SIDE;
{% for f in factors %}
{% set name = f.name %}
  let {{ name }}_stride = {{ stride(f) }}u;
  let {{ name }}_width = {{ "params.k" if f.along else f.edge }}{{ " / 4u" if f.vectors }}; // elements of a row
  let {{ name }}_row = thread / {{ groups(f) }}u;
  let {{ name }}_col = thread % {{ groups(f) }}u * 4u;
  {% if f.along %}
  let {{ name }}_at = ({{ f.first }} + {{ name }}_row) * {{ name }}_width + (k_begin + {{ name }}_col){{ " / 4u" if f.vectors }};
  {% for i in range(rounds(f)|int) %}
  let {{ name }}_factor{{ i }} = {{ name }}_factor({{ f.first }} + {{ name }}_row + {{ i * apart(f)|int }}u);
  {% endfor %}
  {% else %}
  let {{ name }}_at = (k_begin + {{ name }}_row) * {{ name }}_width + ({{ f.first }} + {{ name }}_col){{ " / 4u" if f.vectors }};
  let {{ name }}_factors = vec4({% for e in range(4) %}{{ name }}_factor({{ f.first }} + {{ name }}_col + {{ e }}u){{ "" if loop.last else ", " }}{% endfor %});
  {% endif %}
{% endfor %}
{% macro load(done) %}
{% for f in factors %}
{% for i in range(rounds(f)|int) %}
  {% if f.along %}
    {{ f.name }}{{ i }} = {{ f.name }}_four({{ f.name }}_at + {{ done }}{{ " / 4u" if f.vectors }} + {{ i * apart(f)|int }}u * {{ f.name }}_width);
  {% else %}
    {{ f.name }}{{ i }} = {{ f.name }}_four({{ f.name }}_at + ({{ done }} + {{ i * apart(f)|int }}u) * {{ f.name }}_width);
  {% endif %}
{% endfor %}
{% endfor %}
{% endmacro %}
{% for f in factors %}
{% for i in range(rounds(f)|int) %}
  var {{ f.name }}{{ i }} = vec4(0.0);
{% endfor %}
{% endfor %}
{% for i in range(WM // SIDE) %}
{% for j in range(WN // SIDE) %}
  var s{{ i }}_{{ j }} = coop_mat{{ SIDE }}x{{ SIDE }}<f32, C>();
{% endfor %}
{% endfor %}
{% if COLUMN_SUMS %}
  var column_sum = vec4(0.0); // of four of b's columns, over the rows that this thread stages
{% endif %}
{{ load("0u") }}
  for (var done = 0u; done < params.slice; done += BK) {
    // Steps behind the slice's end are 0.
{% for f in factors %}
{% set name = f.name %}
{% for i in range(rounds(f)|int) %}
    {
      {% if not ALIGNED %}
      {% if not f.along %}
      {{ name }}{{ i }} = select(vec4(0.0), {{ name }}{{ i }}, k_begin + done + {{ name }}_row + {{ i * apart(f)|int }}u < k_end);
      {% else %}
      {{ name }}{{ i }} = select(vec4(0.0), {{ name }}{{ i }}, vec4(k_begin + done + {{ name }}_col) + vec4(0u, 1u, 2u, 3u) < vec4(k_end));
      {% endif %}
      {% endif %}
      {% if COLUMN_SUMS and name == "b" %}
      column_sum += b{{ i }};
      {% endif %}
      stage_{{ name }}(({{ name }}_row + {{ i * apart(f)|int }}u) * {{ name }}_stride + {{ name }}_col, {{ name }}{{ i }} * {{ name ~ "_factor" ~ i if f.along else name ~ "_factors" }});
    }
{% endfor %}
{% endfor %}
    workgroupBarrier();
    let next = done + BK;
    if next < params.slice {
{{ load("next") }}
    }
    {
{% macro place(f, along, beside) %}{{ "(" ~ beside ~ ") * " ~ f.name ~ "_stride + " ~ along if f.along else along ~ " * " ~ f.name ~ "_stride + " ~ beside }}{% endmacro %}
{% for j in range(WN // SIDE) %}
{% for kk in range(BK // SIDE) %}
      let b_from{{ j }}_{{ kk }} = {{ place(factors[1], kk * SIDE ~ "u", "warp_col + " ~ j * SIDE ~ "u") }};
      {% for part in ["high", "low"] %}
      let b_{{ part }}{{ j }}_{{ kk }} = {{ "coopLoad" if factors[1].along else "coopLoadT" }}<coop_mat{{ SIDE }}x{{ SIDE }}<f16, B>>(&b_{{ part }}[b_from{{ j }}_{{ kk }}], b_stride);
      {% endfor %}
{% endfor %}
{% endfor %}
{% for i in range(WM // SIDE) %}
      {
{% for kk in range(BK // SIDE) %}
        let a_from{{ kk }} = {{ place(factors[0], kk * SIDE ~ "u", "warp_row + " ~ i * SIDE ~ "u") }};
        {% for part in ["high", "low"] %}
        let a_{{ part }}{{ kk }} = {{ "coopLoadT" if factors[0].along else "coopLoad" }}<coop_mat{{ SIDE }}x{{ SIDE }}<f16, A>>(&a_{{ part }}[a_from{{ kk }}], a_stride);
        {% endfor %}
{% endfor %}
{% for j in range(WN // SIDE) %}
        {
          var step = coop_mat{{ SIDE }}x{{ SIDE }}<f32, C>();
          {% for kk in range(BK // SIDE) %}
          step = coopMultiplyAdd(a_low{{ kk }}, b_high{{ j }}_{{ kk }}, step);
          step = coopMultiplyAdd(a_high{{ kk }}, b_low{{ j }}_{{ kk }}, step);
          {% endfor %}
          step = step * (1.0 / REST);
          {% for kk in range(BK // SIDE) %}
          step = coopMultiplyAdd(a_high{{ kk }}, b_high{{ j }}_{{ kk }}, step);
          {% endfor %}
          s{{ i }}_{{ j }} = s{{ i }}_{{ j }} + step;
        }
{% endfor %}
      }
{% endfor %}
    }
    workgroupBarrier();
  }

  let start = slice * params.stride;
  let mine = subgroup * SIDE * SIDE;
{% for i in range(WM // SIDE) %}
{% for j in range(WN // SIDE) %}
  coopStoreT(s{{ i }}_{{ j }}, &sums[mine], side);
  workgroupBarrier();
  {% if LEAST_LANES < LANES %}
  if subgroup < WARPS {
  {% endif %}
  for (var four = lane; four < SIDE * SIDE / 4u; four += lanes) {
    let row = row0 + warp_row + {{ i * SIDE }}u + four / (SIDE / 4u);
    let col = col0 + warp_col + {{ j * SIDE }}u + four % (SIDE / 4u) * 4u;
    {% if not ALIGNED %}
    if row < params.m {
    {% endif %}
    let at = mine + four * 4u;
    let values = vec4(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
    let b_factors = vec4({% for e in range(4) %}b_factor(col + {{ e }}u){{ "" if loop.last else ", " }}{% endfor %});
    store(start + row * params.n + col, col, unscaled(values, a_factor(row), b_factors));
    {% if not ALIGNED %}
    }
    {% endif %}
  }
  {% if LEAST_LANES < LANES %}
  }
  {% endif %}
  workgroupBarrier();
{% endfor %}
{% endfor %}
{% if COLUMN_SUMS %}

  // The first tiles of a column of tiles write its sums, of which several threads have parts.
  if row0 == 0u {
    {% for e in range(4) %}
    sums[thread * 4u + {{ e }}u] = column_sum.{{ "xyzw"[e] }};
    {% endfor %}
    workgroupBarrier();
    let first = 4u * thread;
    if first < BN && col0 + first < params.n {
      var four = vec4(0.0);
      for (var i = thread; i < THREADS; i += BN / 4u) {
        four += vec4(sums[i * 4u], sums[i * 4u + 1u], sums[i * 4u + 2u], sums[i * 4u + 3u]);
      }
      put(start + params.sums_at + col0 + first, col0 + first, four);
    }
  }
{% endif %}
}
