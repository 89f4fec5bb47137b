// tiles: a BM x BN tile of a b, for kernels that declare `Params` with `m`, `n` and `k`.
//   a: m x k, or k x m with TRANSPOSE_A; b: k x n, or n x k with TRANSPOSE_B, row-major.
//   A workgroup walks k in steps of BK through workgroup memory; a thread owns TM x TN sums, in groups of four neighbours.
//   ALIGNED: the tiles cover m, n and every slice of k exactly, so nothing is guarded.
//   BM, BN, BK, TM, TN and UNROLL are constants that the host puts in front: private arrays take their size from them.

override TRANSPOSE_A: bool;
override TRANSPOSE_B: bool;
override ALIGNED: bool;
override COLUMN_SUMS: bool; // whether b's columns are added up while they are staged

const THREADS_DOWN: u32 = BM / TM;
const THREADS_ACROSS: u32 = BN / TN;
const THREADS: u32 = THREADS_DOWN * THREADS_ACROSS;
const DOWN4: u32 = BM / 4u;   // groups of four rows in a tile
const ACROSS4: u32 = BN / 4u; // and of four columns
const MINE_DOWN: u32 = TM / 4u;
const MINE_ACROSS: u32 = TN / 4u;
// Loads that a thread has under way at a time while staging: more would cost registers.
const A_LOADS: u32 = min(4u, BK * BM / THREADS);
const B_LOADS: u32 = min(4u, BK * BN / THREADS);

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;

// Words, not vectors: threads that wrote components of one vector would race.
var<workgroup> a_tile: array<f32, BK * BM>; // k-major: a_tile[kk * BM + row]
var<workgroup> b_tile: array<f32, BK * BN>; // k-major: b_tile[kk * BN + col]

// What this thread owns: row i / 4 of its groups, group j of its columns is sums[i * MINE_ACROSS + j].
var<private> sums: array<vec4<f32>, TM * MINE_ACROSS>;
// With COLUMN_SUMS: of column thread % BN of b's tiles, the rows that this thread stages. BN divides the threads.
var<private> column_sum: f32;

// Neighbouring threads read neighbouring addresses in either layout; what lies outside becomes 0.
fn stage_a(thread: u32, row0: u32, k0: u32, k_end: u32) {
  for (var first = thread; first < BK * BM; first += A_LOADS * THREADS) {
    for (var j = 0u; j < A_LOADS; j++) {
      let i = first + j * THREADS;
      let kk = select(i % BK, i / BM, TRANSPOSE_A);
      let rr = select(i / BK, i % BM, TRANSPOSE_A);
      let row = row0 + rr;
      let col = k0 + kk;
      var value = 0.0;
      if ALIGNED || (row < params.m && col < k_end) {
        value = a[select(row * params.k + col, col * params.m + row, TRANSPOSE_A)];
      }
      a_tile[kk * BM + rr] = value;
    }
  }
}

fn stage_b(thread: u32, col0: u32, k0: u32, k_end: u32) {
  for (var first = thread; first < BK * BN; first += B_LOADS * THREADS) {
    for (var j = 0u; j < B_LOADS; j++) {
      let i = first + j * THREADS;
      let kk = select(i / BN, i % BK, TRANSPOSE_B);
      let cc = select(i % BN, i / BK, TRANSPOSE_B);
      let row = k0 + kk;
      let col = col0 + cc;
      var value = 0.0;
      if ALIGNED || (row < k_end && col < params.n) {
        value = b[select(row * params.n + col, col * params.k + row, TRANSPOSE_B)];
      }
      b_tile[kk * BN + cc] = value;
      if COLUMN_SUMS { column_sum += value; }
    }
  }
}

// A thread's groups of four lie THREADS_DOWN and THREADS_ACROSS groups apart: neighbours read neighbouring groups.
fn row_in_tile(thread: u32, i: u32) -> u32 {
  return ((i / 4u) * THREADS_DOWN + thread / THREADS_ACROSS) * 4u + i % 4u;
}

fn col_in_tile(thread: u32, j: u32, e: u32) -> u32 {
  return (j * THREADS_ACROSS + thread % THREADS_ACROSS) * 4u + e;
}

// Four neighbours in a tile, counted in groups.
fn a_group(group: u32) -> vec4<f32> {
  let i = 4u * group;
  return vec4(a_tile[i], a_tile[i + 1u], a_tile[i + 2u], a_tile[i + 3u]);
}

fn b_group(group: u32) -> vec4<f32> {
  let i = 4u * group;
  return vec4(b_tile[i], b_tile[i + 1u], b_tile[i + 2u], b_tile[i + 3u]);
}

// Fills `sums` from the steps k_begin .. k_end; afterwards the tiles in workgroup memory are free.
fn multiply(thread: u32, row0: u32, col0: u32, k_begin: u32, k_end: u32) {
  let down = thread / THREADS_ACROSS;
  let across = thread % THREADS_ACROSS;
  for (var i = 0u; i < TM * MINE_ACROSS; i++) { sums[i] = vec4(0.0); }

  for (var k0 = k_begin; k0 < k_end; k0 += BK) {
    stage_a(thread, row0, k0, k_end);
    stage_b(thread, col0, k0, k_end);
    workgroupBarrier();
    for (var k1 = 0u; k1 < BK; k1 += UNROLL) {
      var a_part: array<vec4<f32>, UNROLL * MINE_DOWN>;
      var b_part: array<vec4<f32>, UNROLL * MINE_ACROSS>;
      // The remainder tells compilers that these addresses cannot wrap, so that offsets fold into the reads.
      let a_at = (k1 % BK) * DOWN4 + down;
      let b_at = (k1 % BK) * ACROSS4 + across;
      for (var u = 0u; u < UNROLL; u++) {
        for (var i = 0u; i < MINE_DOWN; i++) { a_part[u * MINE_DOWN + i] = a_group(a_at + u * DOWN4 + i * THREADS_DOWN); }
        for (var j = 0u; j < MINE_ACROSS; j++) {
          b_part[u * MINE_ACROSS + j] = b_group(b_at + u * ACROSS4 + j * THREADS_ACROSS);
        }
        for (var i = 0u; i < TM; i++) {
          for (var j = 0u; j < MINE_ACROSS; j++) {
            let left = vec4(a_part[u * MINE_DOWN + i / 4u][i % 4u]);
            sums[i * MINE_ACROSS + j] = fma(left, b_part[u * MINE_ACROSS + j], sums[i * MINE_ACROSS + j]);
          }
        }
      }
    }
    workgroupBarrier();
  }
}

