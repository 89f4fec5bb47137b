// matmul_units: c = a b on matrix units           a: m x k, b: k x n, c: m x n, row-major
//   TRANSPOSE_A: a is stored k x m (matmul_tn); TRANSPOSE_B: b is stored n x k (matmul_nt).
//   The finished sums go through store.wgsl: bias, ReLU, mask.
//   The units multiply f16 and add in f32. Each row of a and each column of b is scaled by a power of two, so that its largest
//   number lies below 2^15, and each number v is cut in two: its first 11 bits, and the rest times 2048. Three products replace one:
//     a b = high high + (high low + low high) / 2048 + what is lost, low low and the ends of the rests: about 2^-22 |a| |b|.
//   Units may cut off what they add. So a sum stays in them for BK steps alone; what they have then is added to the sums in f32.
//   A workgroup owns a BM x BN tile of c and one slice of k, as in matmul.wgsl; each of its subgroups owns WM x WN of it, in matrices
//   of SIDE x SIDE. Workgroup memory holds rows of a and columns of b, along k, with 8 halves more each, against bank conflicts: what
//   lies across k in memory is turned as it is staged, because few units turn what they load.
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
{# How each factor is staged: whether a row of memory runs along k, how many rows of a or columns of b a tile has, where they begin,
   and the matrix's edge there. #}
{% set factors = [
  {"name": "a", "along": not TRANSPOSE_A, "length": BM, "edge": "params.m", "vectors": VECTORS_A, "first": "row0"},
  {"name": "b", "along": TRANSPOSE_B, "length": BN, "edge": "params.n", "vectors": VECTORS_B, "first": "col0"},
] %}
{# Fours of memory that a thread stages; of them, how many lie one below the other and are turned together; halves that are
   neighbours along k then; threads along k; passes over the tile, and how many rows of a or columns of b one has. #}
{% macro fours_of(f) %}{{ f.length * BK // (4 * threads) }}{% endmacro %}
{% macro together(f) %}{{ 1 if f.along else [fours_of(f)|int, 4]|min }}{% endmacro %}
{% macro halves(f) %}{{ 4 if f.along else together(f)|int }}{% endmacro %}
{% macro across_k(f) %}{{ BK // halves(f)|int }}{% endmacro %}
{% macro passes(f) %}{{ fours_of(f)|int // together(f)|int }}{% endmacro %}
{% macro apart(f) %}{{ threads // across_k(f)|int * (1 if f.along else 4) }}{% endmacro %}
{% macro floats(f, kind) %}{{ "vec" ~ halves(f) ~ "<" ~ kind ~ ">" if halves(f)|int > 1 else kind }}{% endmacro %}

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

const {{ f.name|upper }}_HALVES: u32 = {{ f.length * (BK + 8) }}u;
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

// Puts neighbours along k into workgroup memory. Their first bits are rounded by their bits, because compilers take f32(f16(v)) for v.
fn stage_{{ f.name }}(at: u32, values: {{ floats(f, "f32") }}) {
  let bits = (bitcast<{{ floats(f, "u32") }}>(values) + LAST_BIT / 2u) & {{ floats(f, "u32") }}(~(LAST_BIT - 1u));
  let rounded = bitcast<{{ floats(f, "f32") }}>(bits);
  let high = select(rounded, {{ floats(f, "f32") }}(), abs(rounded) < {{ floats(f, "f32") }}(bitcast<f32>(SMALLEST)));
  let low = (values - high) * REST;
  {% for e in range(halves(f)|int) %}
  {% set one = "." ~ "xyzw"[e] if halves(f)|int > 1 else "" %}
  {{ f.name }}_high[at + {{ e }}u] = f16(high{{ one }});
  {{ f.name }}_low[at + {{ e }}u] = f16(low{{ one }});
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

// What takes factors away again, in two parts, 0 and 1, to multiply by: a row's and a column's at once may be out of range.
fn undo(factors: vec4<f32>, part: i32) -> vec4<f32> {
  let power = vec4(ONE + part) - vec4<i32>(bitcast<vec4<u32>>(factors) >> vec4(EXPONENT_AT));
  return bitcast<vec4<f32>>(vec4<u32>((power >> vec4(1u)) + ONE) << vec4(EXPONENT_AT));
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
  let stride = {{ BK + 8 }}u;
{% for f in factors %}
{% set name = f.name %}
  let {{ name }}_width = {{ "params.k" if f.along else f.edge }}{{ " / 4u" if f.vectors }}; // elements of a row
  let {{ name }}_step = thread % {{ across_k(f) }}u * {{ halves(f) }}u;
  let {{ name }}_line = thread / {{ across_k(f) }}u;
  {% if not f.along %}
  let {{ name }}_beside = {{ name }}_line * 4u;
  {% elif apart(f)|int % 8 %}
  let {{ name }}_beside = {{ name }}_line;
  {% else %}
  // Of eight rows, those that are written at once are four apart: their banks are others.
  let {{ name }}_beside = {{ name }}_line / {{ 8 }}u * {{ 8 }}u + {{ name }}_line % 2u * 4u + {{ name }}_line / 2u % 4u;
  {% endif %}
  let {{ name }}_to = {{ name }}_beside * stride + {{ name }}_step;
  {% if f.along %}
  let {{ name }}_at = ({{ f.first }} + {{ name }}_beside) * {{ name }}_width + (k_begin + {{ name }}_step){{ " / 4u" if f.vectors }};
  {% else %}
  let {{ name }}_at = (k_begin + {{ name }}_step) * {{ name }}_width + ({{ f.first }} + {{ name }}_beside){{ " / 4u" if f.vectors }};
  {% endif %}
  {% for i in range(passes(f)|int) %}
  {% for e in range(1 if f.along else 4) %}
  let {{ name }}_factor{{ i }}_{{ e }} = {{ name }}_factor({{ f.first }} + {{ name }}_beside + {{ i * apart(f)|int + e }}u);
  {% endfor %}
  {% endfor %}
{% endfor %}
{% macro load(done) %}
{% for f in factors %}
{% for i in range(passes(f)|int) %}
{% for e in range(together(f)|int) %}
  {% if f.along %}
    {{ f.name }}{{ i }}_{{ e }} = {{ f.name }}_four({{ f.name }}_at + {{ done }}{{ " / 4u" if f.vectors }} + {{ i * apart(f)|int }}u * {{ f.name }}_width);
  {% else %}
    {{ f.name }}{{ i }}_{{ e }} = {{ f.name }}_four({{ f.name }}_at + ({{ done }} + {{ e }}u) * {{ f.name }}_width + {{ i * apart(f)|int }}u{{ " / 4u" if f.vectors }});
  {% endif %}
{% endfor %}
{% endfor %}
{% endfor %}
{% endmacro %}
{% for f in factors %}
{% for i in range(passes(f)|int) %}
{% for e in range(together(f)|int) %}
  var {{ f.name }}{{ i }}_{{ e }} = vec4(0.0);
{% endfor %}
{% endfor %}
{% endfor %}
{% for i in range(WM // SIDE) %}
{% for j in range(WN // SIDE) %}
  var s{{ i }}_{{ j }} = coop_mat{{ SIDE }}x{{ SIDE }}<f32, C>();
{% endfor %}
{% endfor %}
{% if COLUMN_SUMS %}
  {% for i in range(passes(factors[1])|int) %}
  var column_sum{{ i }} = vec4(0.0); // of four of b's columns, over the rows that this thread stages
  {% endfor %}
{% endif %}
{{ load("0u") }}
  for (var done = 0u; done < params.slice; done += BK) {
    // Steps behind the slice's end are 0.
{% for f in factors %}
{% set name = f.name %}
{% for i in range(passes(f)|int) %}
  {% if f.along %}
    {% if not ALIGNED %}
    {{ name }}{{ i }}_0 = select(vec4(0.0), {{ name }}{{ i }}_0, vec4(k_begin + done + {{ name }}_step) + vec4(0u, 1u, 2u, 3u) < vec4(k_end));
    {% endif %}
    stage_{{ name }}({{ name }}_to + {{ i * apart(f)|int }}u * stride, {{ name }}{{ i }}_0 * {{ name }}_factor{{ i }}_0);
  {% else %}
    {% for e in range(together(f)|int) %}
    {% if not ALIGNED %}
    {{ name }}{{ i }}_{{ e }} = select(vec4(0.0), {{ name }}{{ i }}_{{ e }}, k_begin + done + {{ name }}_step + {{ e }}u < k_end);
    {% endif %}
    {% if COLUMN_SUMS and name == "b" %}
    column_sum{{ i }} += b{{ i }}_{{ e }};
    {% endif %}
    {% endfor %}
    {% for c in range(4) %}
    {% set turned %}{% for e in range(together(f)|int) %}{{ name }}{{ i }}_{{ e }}.{{ "xyzw"[c] }}{{ "" if loop.last else ", " }}{% endfor %}{% endset %}
    stage_{{ name }}({{ name }}_to + {{ i * apart(f)|int + c }}u * stride, {{ floats(f, "f32") }}({{ turned }}) * {{ name }}_factor{{ i }}_{{ c }});
    {% endfor %}
  {% endif %}
{% endfor %}
{% endfor %}
    workgroupBarrier();
    // The last step's again, in place of none: behind a branch, compilers may wait for what was loaded in it.
    let next = select(done, done + BK, done + BK < params.slice);
{{ load("next") }}
    {
{% for j in range(WN // SIDE) %}
{% for kk in range(BK // SIDE) %}
      let b_from{{ j }}_{{ kk }} = (warp_col + {{ j * SIDE }}u) * stride + {{ kk * SIDE }}u;
      {% for part in ["high", "low"] %}
      let b_{{ part }}{{ j }}_{{ kk }} = coopLoad<coop_mat{{ SIDE }}x{{ SIDE }}<f16, B>>(&b_{{ part }}[b_from{{ j }}_{{ kk }}], stride);
      {% endfor %}
{% endfor %}
{% endfor %}
{% for i in range(WM // SIDE) %}
      {
{% for kk in range(BK // SIDE) %}
        let a_from{{ kk }} = (warp_row + {{ i * SIDE }}u) * stride + {{ kk * SIDE }}u;
        {% for part in ["high", "low"] %}
        let a_{{ part }}{{ kk }} = coopLoadT<coop_mat{{ SIDE }}x{{ SIDE }}<f16, A>>(&a_{{ part }}[a_from{{ kk }}], stride);
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
  // A lane stores the same four columns of each row.
  let right = lane % (SIDE / 4u) * 4u;
{% for j in range(WN // SIDE) %}
  let b_factors{{ j }} = vec4({% for e in range(4) %}b_factor(col0 + warp_col + {{ j * SIDE + e }}u + right){{ "" if loop.last else ", " }}{% endfor %});
  {% for part in range(2) %}
  let b_undo{{ j }}_{{ part }} = undo(b_factors{{ j }}, {{ part }});
  {% endfor %}
{% endfor %}
{% for i in range(WM // SIDE) %}
{% for j in range(WN // SIDE) %}
  coopStoreT(s{{ i }}_{{ j }}, &sums[mine], side);
  workgroupBarrier();
  {% if LEAST_LANES < LANES %}
  if subgroup < WARPS {
  {% endif %}
  for (var down = lane / (SIDE / 4u); down < SIDE; down += lanes / (SIDE / 4u)) {
    let row = row0 + warp_row + {{ i * SIDE }}u + down;
    let col = col0 + warp_col + {{ j * SIDE }}u + right;
    {% if not ALIGNED %}
    if row < params.m {
    {% endif %}
    let at = mine + down * SIDE + right;
    let a_factors = vec4(a_factor(row));
    var values = vec4(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
    {% for part in range(2) %}
    values *= undo(a_factors, {{ part }}) * b_undo{{ j }}_{{ part }};
    {% endfor %}
    let factors = max(bitcast<vec4<u32>>(a_factors), bitcast<vec4<u32>>(b_factors{{ j }}));
    values = select(values, bitcast<vec4<f32>>(factors), factors > vec4(INFINITY_BITS)); // NaN by its bits
    store(start + row * params.n + col, col, values);
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
    {% set b = factors[1] %}
    {% for i in range(passes(b)|int) %}
    {% for e in range(4) %}
    sums[thread * 4u + {{ e }}u] = column_sum{{ i }}.{{ "xyzw"[e] }};
    {% endfor %}
    workgroupBarrier();
    if thread < {{ apart(b)|int // 4 }}u {
      let first = col0 + thread * 4u + {{ i * apart(b)|int }}u;
      var four = vec4(0.0);
      for (var i = thread * {{ across_k(b) }}u; i < (thread + 1u) * {{ across_k(b) }}u; i++) {
        four += vec4(sums[i * 4u], sums[i * 4u + 1u], sums[i * 4u + 2u], sums[i * 4u + 3u]);
      }
      put(start + params.sums_at + first, first, four);
    }
    {% if not loop.last %}
    workgroupBarrier();
    {% endif %}
    {% endfor %}
  }
{% endif %}
}
