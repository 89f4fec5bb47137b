// matmul: c = a b                 a: m x k, b: k x n, c: m x n, row-major
//   TRANSPOSE_A: a is stored k x m (matmul_tn); TRANSPOSE_B: b is stored n x k (matmul_nt).
//   The finished sums go through store.wgsl: bias, ReLU, mask.
//   A workgroup owns a BM x BN tile of c (tiles.wgsl) and one slice of k. With several slices, slice s writes its partial
//   product to c + s * stride, and with COLUMN_SUMS b's column sums over the slice to c + s * stride + sums_at.
{% include "common.wgsl" %}
{% include "elements/values.wgsl" %}
{% include "products/tiles.wgsl" %}
{% include "products/store.wgsl" %}
{% if fours %}{% include "products/store_by_four.wgsl" %}{% else %}{% include "products/store_by_one.wgsl" %}{% endif %}

struct Params {
  m: u32,
  n: u32,
  k: u32,
  slice: u32,  // length of a slice of k, a multiple of BK
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

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = params.first_group + flat(id, count);
  let tile = group % (params.down * params.across);
  let slice = group / (params.down * params.across);
  if slice >= params.slices { return; }
  let row0 = (tile / params.across) * BM;
  let col0 = (tile % params.across) * BN;
  let k_begin = slice * params.slice;
  multiply(thread, row0, col0, k_begin, min(k_begin + params.slice, params.k));

  let start = slice * params.stride;
  for (var i = 0u; i < TM; i++) {
    let row = row0 + row_in_tile(thread, i);
    for (var j = 0u; j < MINE_ACROSS; j++) {
      let col = col0 + col_in_tile(thread, j, 0u);
      if ALIGNED || row < params.m { store(start + row * params.n + col, col, sums[i * MINE_ACROSS + j]); }
    }
  }

  // The first tiles of a column of tiles write its sums: THREADS / BN threads have parts of each.
  if COLUMN_SUMS && row0 == 0u {
    a_tile[thread] = column_sum;
    workgroupBarrier();
    let first = 4u * thread;
    if first < BN && col0 + first < params.n {
      var four = vec4(0.0);
      for (var i = first; i < THREADS; i += BN) { four += a_group(i / 4u); }
      put(start + params.sums_at + col0 + first, col0 + first, four);
    }
  }
}
