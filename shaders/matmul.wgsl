// matmul: c = a b                 a: m x k, b: k x n, c: m x n, row-major
//   TRANSPOSE_A: a is stored k x m (matmul_tn); TRANSPOSE_B: b is stored n x k (matmul_nt).
//   biased: c += bias, 1 x n; relu: c = max(c, 0) (linear); accumulate: c += what it held.
//   A workgroup owns a BM x BN tile of c and one slice of k, and walks it in steps of BK through workgroup memory; a thread
//   owns TM x TN outputs, in groups of four neighbours. With several slices, slice s writes its partial product to
//   c + s * m * n. ALIGNED: the tiles cover m, n and every slice exactly, so nothing is guarded.
//   BM, BN, BK, TM, TN and UNROLL are constants that the host puts in front: private arrays take their size from them.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  slice: u32,  // length of a slice of k, a multiple of BK
  down: u32,   // tiles down c
  across: u32, // tiles across c
  slices: u32,
  biased: u32, // 1 for yes: a uniform branch costs nothing, a variant more to compile does
  relu: u32,
  accumulate: u32, // 1 to add to what c holds: a later window of k
}

override TRANSPOSE_A: bool;
override TRANSPOSE_B: bool;
override ALIGNED: bool;

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
@group(0) @binding(3) var<storage, read> bias: array<f32>; // any buffer where not biased
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

var<workgroup> a_tile: array<vec4<f32>, BK * DOWN4>;   // k-major: a_tile[kk * DOWN4 + row / 4]
var<workgroup> b_tile: array<vec4<f32>, BK * ACROSS4>; // k-major: b_tile[kk * ACROSS4 + col / 4]

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
      a_tile[kk * DOWN4 + rr / 4u][rr % 4u] = value;
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
      b_tile[kk * ACROSS4 + cc / 4u][cc % 4u] = value;
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = flat(id, count);
  let tile = group % (params.down * params.across);
  let slice = group / (params.down * params.across);
  if slice >= params.slices { return; }
  let row0 = (tile / params.across) * BM;
  let col0 = (tile % params.across) * BN;
  let k_begin = slice * params.slice;
  let k_end = min(k_begin + params.slice, params.k);
  // A thread's groups of four lie THREADS_DOWN and THREADS_ACROSS groups apart: neighbours read neighbouring groups.
  let down = thread / THREADS_ACROSS;
  let across = thread % THREADS_ACROSS;

  var sums: array<vec4<f32>, TM * MINE_ACROSS>;
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
        for (var i = 0u; i < MINE_DOWN; i++) { a_part[u * MINE_DOWN + i] = a_tile[a_at + u * DOWN4 + i * THREADS_DOWN]; }
        for (var j = 0u; j < MINE_ACROSS; j++) {
          b_part[u * MINE_ACROSS + j] = b_tile[b_at + u * ACROSS4 + j * THREADS_ACROSS];
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

  for (var i = 0u; i < TM; i++) {
    let row = row0 + ((i / 4u) * THREADS_DOWN + down) * 4u + i % 4u;
    for (var j = 0u; j < MINE_ACROSS; j++) {
      for (var e = 0u; e < 4u; e++) {
        let col = col0 + (j * THREADS_ACROSS + across) * 4u + e;
        if ALIGNED || (row < params.m && col < params.n) {
          let at = (slice * params.m + row) * params.n + col;
          var value = sums[i * MINE_ACROSS + j][e];
          if params.accumulate == 1u { value += c[at]; }
          if params.biased == 1u { value += bias[col]; }
          if params.relu == 1u { value = rectified(value); }
          c[at] = value;
        }
      }
    }
  }
}
