// matmul_direct: c = a b with everything that matmul.wgsl can do, for software drivers: without workgroup memory, whose
//   barriers cost them more than they save.
//   A workgroup owns ROWS rows of c, COLS * LANES `Columns` of it, and one slice of k; a lane owns every LANES-th of these
//   Columns. Rows follow from the workgroup alone, so that a driver can load a's values once for all lanes.
//   `Columns` is one column, or four neighbours where n is a multiple of four: columns1.wgsl, columns4.wgsl. b, bias and
//   c are arrays of it. ROWS and COLS are constants that the host puts in front.

struct Params {
  m: u32,
  n: u32, // in Columns
  k: u32,
  slice: u32,  // length of a slice of k
  down: u32,   // workgroups down c
  across: u32, // workgroups across c
  slices: u32,
  biased: u32, // 1 for yes
  relu: u32,
  accumulate: u32,
}

override TRANSPOSE_A: bool;
override TRANSPOSE_B: bool; // with single columns only
override LANES: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<Columns>;
@group(0) @binding(3) var<storage, read> bias: array<Columns>; // any buffer where not biased
@group(0) @binding(4) var<storage, read_write> c: array<Columns>;

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
  let row0 = (tile / params.across) * ROWS;
  let col0 = (tile % params.across) * COLS * LANES + lane;
  let k_begin = slice * params.slice;
  let k_end = min(k_begin + params.slice, params.k);
  // Behind the end the last row and column are read again, and nothing is written.
  let last_row = params.m - 1u;
  let last_col = params.n - 1u;

  var sums: array<Columns, ROWS * COLS>;
  for (var i = 0u; i < ROWS * COLS; i++) { sums[i] = Columns(0.0); }
  for (var k = k_begin; k < k_end; k++) {
    var right: array<Columns, COLS>;
    for (var j = 0u; j < COLS; j++) {
      let col = min(col0 + j * LANES, last_col);
      right[j] = b[select(k * params.n + col, col * params.k + k, TRANSPOSE_B)];
    }
    for (var i = 0u; i < ROWS; i++) {
      let row = min(row0 + i, last_row);
      let left = Columns(a[select(row * params.k + k, k * params.m + row, TRANSPOSE_A)]);
      for (var j = 0u; j < COLS; j++) { sums[i * COLS + j] = fma(left, right[j], sums[i * COLS + j]); }
    }
  }

  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLS; j++) {
      let row = row0 + i;
      let col = col0 + j * LANES;
      if row < params.m && col < params.n {
        let at = (slice * params.m + row) * params.n + col;
        var value = sums[i * COLS + j];
        if params.accumulate == 1u { value += c[at]; }
        if params.biased == 1u { value += bias[col]; }
        if params.relu == 1u { value = rectified(value); }
        c[at] = value;
      }
    }
  }
}
