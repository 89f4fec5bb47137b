// matmul: c = a b                 a: m x k, b: k x n, c: m x n, row-major
//   TRANSPOSE_A: a is stored k x m (matmul_tn); TRANSPOSE_B: b is stored n x k (matmul_nt).
//   biased: c += bias, 1 x n; relu: c = max(c, 0) (linear).
//   A workgroup owns a BM x BN tile of c and one slice of k, and walks it in steps of BK through workgroup memory;
//   a thread owns TM x TN outputs. With several slices, slice s writes its partial product to c + s * m * n.
//   BM, BN, BK, TM and TN are constants that the host puts in front: private arrays take their size from them.

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

const THREADS_DOWN: u32 = BM / TM;
const THREADS_ACROSS: u32 = BN / TN;
const THREADS: u32 = THREADS_DOWN * THREADS_ACROSS;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>; // any buffer where not biased
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

var<workgroup> a_tile: array<f32, BK * BM>; // k-major: a_tile[kk * BM + row]
var<workgroup> b_tile: array<f32, BK * BN>; // k-major: b_tile[kk * BN + col]

// Neighbouring threads read neighbouring addresses in either layout; what lies outside becomes 0.
fn stage_a(thread: u32, row0: u32, k0: u32, k_end: u32) {
  for (var i = thread; i < BK * BM; i += THREADS) {
    let kk = select(i % BK, i / BM, TRANSPOSE_A);
    let rr = select(i / BK, i % BM, TRANSPOSE_A);
    let row = row0 + rr;
    let col = k0 + kk;
    var value = 0.0;
    if row < params.m && col < k_end {
      value = a[select(row * params.k + col, col * params.m + row, TRANSPOSE_A)];
    }
    a_tile[kk * BM + rr] = value;
  }
}

fn stage_b(thread: u32, col0: u32, k0: u32, k_end: u32) {
  for (var i = thread; i < BK * BN; i += THREADS) {
    let kk = select(i / BN, i % BK, TRANSPOSE_B);
    let cc = select(i % BN, i / BK, TRANSPOSE_B);
    let row = k0 + kk;
    let col = col0 + cc;
    var value = 0.0;
    if row < k_end && col < params.n {
      value = b[select(row * params.n + col, col * params.k + row, TRANSPOSE_B)];
    }
    b_tile[kk * BN + cc] = value;
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
  // A thread's rows and columns lie THREADS_DOWN and THREADS_ACROSS apart: neighbours read neighbouring words.
  let down = thread / THREADS_ACROSS;
  let across = thread % THREADS_ACROSS;

  var sums: array<f32, TM * TN>;
  var a_part: array<f32, TM>;
  var b_part: array<f32, TN>;
  for (var i = 0u; i < TM * TN; i++) { sums[i] = 0.0; }

  for (var k0 = k_begin; k0 < k_end; k0 += BK) {
    stage_a(thread, row0, k0, k_end);
    stage_b(thread, col0, k0, k_end);
    workgroupBarrier();
    for (var kk = 0u; kk < BK; kk++) {
      for (var i = 0u; i < TM; i++) { a_part[i] = a_tile[kk * BM + i * THREADS_DOWN + down]; }
      for (var j = 0u; j < TN; j++) { b_part[j] = b_tile[kk * BN + j * THREADS_ACROSS + across]; }
      for (var i = 0u; i < TM; i++) {
        for (var j = 0u; j < TN; j++) {
          sums[i * TN + j] = fma(a_part[i], b_part[j], sums[i * TN + j]);
        }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < TM; i++) {
    for (var j = 0u; j < TN; j++) {
      let row = row0 + i * THREADS_DOWN + down;
      let col = col0 + j * THREADS_ACROSS + across;
      if row < params.m && col < params.n {
        let at = (slice * params.m + row) * params.n + col;
        var value = sums[i * TN + j];
        if params.accumulate == 1u { value += c[at]; }
        if params.biased == 1u { value += bias[col]; }
        if params.relu == 1u { value = select(0.0, value, is_positive(value) || is_nan(value)); }
        c[at] = value;
      }
    }
  }
}
