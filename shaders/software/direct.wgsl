// direct: c = a b with all options of matmul.wgsl, for software drivers. It uses no workgroup memory, since the barriers would cost
//   these drivers more than they save.
//   Both factors lie step by step of k, in groups of four: a is k x groups of m, b is k x groups of n. pack.wgsl brings other
//   layouts into this form. All lanes share the factor `left`; the other one is `right`. These are a and b, or, if swapped, b and
//   a, for products that have few columns.
//   A workgroup owns LEFTS groups of left, RIGHTS * LANES groups of right, and one slice of k; a lane owns every LANES-th
//   of the latter.
//   LEFTS, LEFT_ROWS = 4 LEFTS and RIGHTS are constants that the host puts in front. `down` counts workgroups along left, `across`
//   along right.
{% set operands = 2 %}
{% set named = false %}
{% include "products/store.wgsl" %}

struct Params {
{% include "products/fields.wgsl" %}
  lefts: u32,  // groups of left
  rights: u32, // groups of right
  left_groups: u32, // LEFTS, as a number that compilers do not know, so that they do not unroll the stores of the sums
}

override LANES: u32;
override SWAPPED: bool;
override ACCUMULATE: bool; // for a later window of k

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;

// The word at which four neighbouring outputs begin.
struct Four {
  row: u32,
  col: u32,
  word: u32,
}

// Row r of the block that a group of left and one of right make.
fn place(left_group: u32, right_group: u32, r: u32) -> Four {
  let row = 4u * select(left_group, right_group, SWAPPED) + r;
  let col = 4u * select(right_group, left_group, SWAPPED);
  return Four(row, col, row * params.n + col);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = flat(id, count);
  let tile = group % (params.down * params.across);
  let slice = group / (params.down * params.across);
  if slice >= params.slices { return; }
  let left0 = (tile / params.across) * LEFTS;
  let right0 = (tile % params.across) * RIGHTS * LANES + lane;
  let k_begin = slice * params.slice;
  let k_end = min(k_begin + params.slice, params.k);
  let last_left = params.lefts - 1u; // behind the ends the last are read again, and nothing is written
  let last_right = params.rights - 1u;

  var sums: array<vec4<f32>, LEFT_ROWS * RIGHTS>;
  for (var i = 0u; i < LEFT_ROWS * RIGHTS; i++) { sums[i] = vec4(0.0); }
  for (var k = k_begin; k < k_end; k++) {
    var mine: array<vec4<f32>, RIGHTS>;
    for (var j = 0u; j < RIGHTS; j++) { mine[j] = right[k * params.rights + min(right0 + j * LANES, last_right)]; }
    for (var i = 0u; i < LEFTS; i++) {
      let shared_by_all = left[k * params.lefts + min(left0 + i, last_left)];
      for (var e = 0u; e < 4u; e++) {
        let factor = vec4(shared_by_all[e]);
        for (var j = 0u; j < RIGHTS; j++) {
          let at = (i * 4u + e) * RIGHTS + j;
          sums[at] = fma(factor, mine[j], sums[at]);
        }
      }
    }
  }

  // First the sums are stored without the epilogue: drivers unroll this loop, and would compile the epilogue for each sum.
  let start = slice * params.stride;
  for (var i = 0u; i < LEFT_ROWS; i++) {
    for (var j = 0u; j < RIGHTS; j++) {
      let r = i % 4u; // the row of a block of 4 x 4
      let first = (i - r) * RIGHTS + j;
      var bare = sums[first + r * RIGHTS];
      if SWAPPED {
        bare = vec4(sums[first][r], sums[first + RIGHTS][r], sums[first + 2u * RIGHTS][r], sums[first + 3u * RIGHTS][r]);
      }
      let at = place(left0 + i / 4u, right0 + j * LANES, r);
      if at.row < params.m && at.col < params.n {
        if ACCUMULATE { store(start + at.word, at.col, bare); } else { store_bare(start + at.word, at.col, bare); }
      }
    }
  }

  if ACCUMULATE || params.biased + params.relu + params.masked == 0u { return; }
  let blocks = min(params.left_groups, params.lefts - left0) * RIGHTS;
  for (var i = 0u; i < blocks * 4u; i++) {
    let block = i / 4u;
    let at = place(left0 + block / RIGHTS, right0 + block % RIGHTS * LANES, i % 4u);
    if at.row < params.m && at.col < params.n { apply_epilogue(start + at.word, at.col); }
  }
}
