// panel: c = a b with all options of matmul.wgsl, for software drivers whose subgroups have LANES lanes or more. On these drivers
//   the cost of a load is the check of its address, so the kernel makes few loads, of wide values.
//   a: m x groups of four along k, row-major, four values as two 64-bit words (pack.wgsl brings other layouts into this form);
//   b: k x n with b[s,c] at s b_step + c b_col; c: m x n, row-major.
//   A workgroup owns `rows` rows and 4 LANES columns of c, four columns for each lane, and one slice of k. It takes b in panels of
//   STEPS steps, which a lane keeps in registers, and adds the product of each row and the panel to c. These are long chains of
//   multiply-adds whose factors need no load, in code that is short enough for a CPU's cache of decoded instructions.
//   With `summed`, 1 for yes, b's column sums over the slice go to sums_at. LANES and STEPS are constants that the host puts in front.
//   A slice of k is a multiple of STEPS.
{% set long_words = true %}
{% set operands = 2 %}
{% set named = false %}
{% include "products/store.wgsl" %}

struct Params {
{% include "products/fields.wgsl" %}
  groups: u32, // of a row of a
  b_step: u32,
  b_col: u32,
  rows: u32,   // of a workgroup
  summed: u32, // 1 for yes, as the next ones
}

const QUADS = STEPS / 4u; // groups of four in a panel

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec2<u64>>;
@group(0) @binding(2) var<storage, read> b: array<f32>;

// Group g of a row of a, 0 behind the end.
fn group_of(row: u32, g: u32) -> vec4<f32> {
  let last = params.groups - 1u;
  return select(vec4(0.0), from_longs(a[row * params.groups + min(g, last)]), g <= last);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let group = flat(id, count);
  let tile = group % (params.down * params.across);
  let slice = group / (params.down * params.across);
  if slice >= params.slices { return; }
  let row0 = (tile / params.across) * params.rows;
  let row_end = min(row0 + params.rows, params.m);
  let col = 4u * ((tile % params.across) * LANES + lane);
  let b_at = four(col, params.n) * params.b_col;
  let start = slice * params.stride;
  let k_begin = slice * params.slice;
  let k_end = min(k_begin + params.slice, params.k);

  var panel: array<vec4<f32>, STEPS>;
  var column_sums = vec4(0.0);
  for (var k = k_begin; k < k_end; k += STEPS) {
    for (var s = k; s < k + STEPS; s++) {
      let at = min(s, k_end - 1u) * params.b_step + b_at;
      let step = select(vec4(0.0), vec4(b[at.x], b[at.y], b[at.z], b[at.w]), s < k_end);
      panel[s - k] = step;
      column_sums += step;
    }
    let begun = k > k_begin || params.accumulate == 1u;
    for (var row = row0; row < row_end; row++) {
      // Each lane reads some groups of the row, and the lanes take them from each other.
      var mine: array<vec4<f32>, QUADS / LANES>;
      for (var i = 0u; i < QUADS / LANES; i++) { mine[i] = group_of(row, k / 4u + i * LANES + lane); }
      var sums = vec4(0.0);
      for (var q = 0u; q < QUADS; q++) {
        let factors = subgroupShuffle(mine[q / LANES], q % LANES);
        for (var e = 0u; e < 4u; e++) { sums = fma(vec4(factors[e]), panel[4u * q + e], sums); }
      }
      let at = start + row * params.n + col;
      if begun { add_bare(at, col, sums); } else { store_bare(at, col, sums); }
    }
  }

  if params.biased + params.relu + params.masked > 0u {
    for (var row = row0; row < row_end; row++) { apply_epilogue(start + row * params.n + col, col); }
  }
  if params.summed == 1u && row0 == 0u { store_bare(start + params.sums_at + col, col, column_sums); }
}
