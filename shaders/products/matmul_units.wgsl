// matmul_units: c = a b on matrix units           a: m x k, b: k x n, c: m x n, row-major
//   cut.wgsl has scaled each row of a and each column of b by a power of two, and has cut each number into two f16 halves. Three
//   products replace one:
//     a b = high high + (high low + low high) / 2048 + a loss of about 2^-22 |a| |b|: low low, and the bits that low does not hold.
//   A row of a or a column of b is a line in memory, as long as all slices of k together. It has the high halves of BK steps, then
//   the low halves of these steps, and so on. There are as many lines as the tiles have. Steps behind the end of k add 0, or NaN to
//   sums that are NaN anyway. store.wgsl applies bias, ReLU or mask to the finished sums.
//   The units may truncate the sums that they add. So a sum stays in them for only BK steps, and is then added to the sums in f32.
//   A workgroup owns a BM x BN tile of c and one slice of k, as in matmul.wgsl. Each of its subgroups owns WM x WN of the tile, in
//   matrices of SIDE x SIDE. Workgroup memory holds BK steps of the tile's lines in the order of cut.wgsl, with 8 halves of padding
//   for each line against bank conflicts. `k` is the length of all slices together, and a slice is a multiple of BK; `sums_at` is
//   not used. If a row of a or a column of b has NaN or infinity, that row or column of c is NaN.

{% set operands = 4 %}
{% set named = true %}
enable f16;
enable wgpu_cooperative_matrix;
{% include "products/store.wgsl" %}
{% include "products/scale.wgsl" %}
struct Params {
{% include "products/fields.wgsl" %}
  first_group: u32, // of this dispatch: a long product comes in several
}
{% set warps = (BM // WM) * (BN // WN) %}
{% set threads = warps * LANES %}
{% set wide = BN // WN %}
{# Four halves are an element of memory. Elements of a line for BK steps; of a line in workgroup memory. #}
{% set elements = BK // 2 %}
{% set pitch = elements + 2 %}
{# A factor's letter, its lines in a tile, and their edge and first number. #}
{% set factors = [
  {"name": "a", "lines": BM, "edge": "params.m", "first": "row0"},
  {"name": "b", "lines": BN, "edge": "params.n", "first": "col0"},
] %}
{# Elements that a thread stages for each BK steps, and how many lines they are apart. #}
{% macro rounds(f) %}{{ f.lines * elements // threads }}{% endmacro %}
{% set apart = threads // elements %}

const THREADS: u32 = {{ threads }}u;
const WARPS: u32 = {{ warps }}u;

@group(0) @binding(0) var<uniform> params: Params;
{% for f in factors %}
@group(0) @binding({{ loop.index }}) var<storage, read> {{ f.name }}: array<vec4<f16>>;
@group(0) @binding({{ loop.index + 2 }}) var<storage, read> {{ f.name }}_largest: array<u32>;
{% endfor %}
{% for f in factors %}

const {{ f.name|upper }}_ELEMENTS: u32 = {{ f.lines * pitch }}u;
var<workgroup> {{ f.name }}_tile: array<vec4<f16>, {{ f.name|upper }}_ELEMENTS>;

// The power of two that scales row or column i of {{ f.name }}.
fn {{ f.name }}_factor(i: u32) -> f32 {
  return factor({{ f.name }}_largest[min(i, {{ f.edge }} - 1u)]);
}
{% endfor %}

// The room for one matrix of each subgroup, through which its sums go to c.
const SUMS: u32 = {{ threads // LEAST_LANES * SIDE * SIDE }}u;
var<workgroup> sums: array<f32, SUMS>;

// The inverse of a row's and a column's scale, in two parts, 0 and 1. The sums are multiplied by one after the other, since the
// product of both inverses may be out of range.
fn undo(factors: vec4<f32>, part: i32) -> vec4<f32> {
  let power = vec4(ONE + part) - vec4<i32>(bitcast<vec4<u32>>(factors) >> vec4(EXPONENT_AT));
  return bitcast<vec4<f32>>(vec4<u32>((power >> vec4(1u)) + ONE) << vec4(EXPONENT_AT));
}
{% macro load(done) %}
{% for f in factors %}
{% for i in range(rounds(f)|int) %}
    {{ f.name }}{{ i }} = {{ f.name }}[{{ f.name }}_at + {{ done }} / 2u + {{ i * apart }}u * (params.k / 2u)];
{% endfor %}
{% endfor %}
{% endmacro %}

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
  // If subgroups have fewer lanes than the largest that the device allows, there are more subgroups than shares. The extra ones
  // repeat the work of others, and store nothing.
  let warp = {{ "subgroup % WARPS" if LEAST_LANES < LANES else "subgroup" }};
  let warp_row = warp / {{ wide }}u * WM;
  let warp_col = warp % {{ wide }}u * WN;
  let side = SIDE;
  let pitch = {{ pitch }}u;
  // The thread's first line and its element there.
  let line = thread / {{ elements }}u;
  let element = thread % {{ elements }}u;
  let to = line * pitch + element;
{% for f in factors %}
  let {{ f.name }}_at = ({{ f.first }} + line) * (params.k / 2u) + slice * (params.slice / 2u) + element;
{% endfor %}
{% for f in factors %}
{% for i in range(rounds(f)|int) %}
  var {{ f.name }}{{ i }} = vec4<f16>();
{% endfor %}
{% endfor %}
{% for i in range(WM // SIDE) %}
{% for j in range(WN // SIDE) %}
  var s{{ i }}_{{ j }} = coop_mat{{ SIDE }}x{{ SIDE }}<f32, C>();
{% endfor %}
{% endfor %}
{{ load("0u") }}
  for (var done = 0u; done < params.slice; done += BK) {
{% for f in factors %}
{% for i in range(rounds(f)|int) %}
    {{ f.name }}_tile[to + {{ i * apart }}u * pitch] = {{ f.name }}{{ i }};
{% endfor %}
{% endfor %}
    workgroupBarrier();
    // The last step's again, if there is no next one: at the end of a branch round the loads, compilers may wait for them.
    let next = select(done, done + BK, done + BK < params.slice);
{{ load("next") }}
    {
{% for j in range(WN // SIDE) %}
{% for kk in range(BK // SIDE) %}
      {% for part in ["high", "low"] %}
      let b_from_{{ part }}{{ j }}_{{ kk }} = (warp_col + {{ j * SIDE }}u) * pitch + {{ kk * SIDE // 4 + (elements // 2 if part == "low" else 0) }}u;
      let b_{{ part }}{{ j }}_{{ kk }} = coopLoad<coop_mat{{ SIDE }}x{{ SIDE }}<f16, B>>(&b_tile[b_from_{{ part }}{{ j }}_{{ kk }}], pitch);
      {% endfor %}
{% endfor %}
{% endfor %}
{% for i in range(WM // SIDE) %}
      {
{% for kk in range(BK // SIDE) %}
        {% for part in ["high", "low"] %}
        let a_from_{{ part }}{{ kk }} = (warp_row + {{ i * SIDE }}u) * pitch + {{ kk * SIDE // 4 + (elements // 2 if part == "low" else 0) }}u;
        let a_{{ part }}{{ kk }} = coopLoadT<coop_mat{{ SIDE }}x{{ SIDE }}<f16, A>>(&a_tile[a_from_{{ part }}{{ kk }}], pitch);
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
  // Each lane stores four columns of a row, and the same four of every row.
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
}
