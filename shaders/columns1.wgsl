// columns1: how matmul_direct.wgsl writes c, value by value.

override SWAPPED: bool;

@group(0) @binding(3) var<storage, read> extra: array<f32>; // bias or outputs; any buffer where there is neither
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

// Sums of one of left's rows or columns and a group of right's.
fn write(slice: u32, i: u32, group: u32, sums: vec4<f32>) {
  for (var e = 0u; e < 4u; e++) {
    let j = group * 4u + e;
    let row = select(i, j, SWAPPED);
    let col = select(j, i, SWAPPED);
    if row < params.m && col < params.n {
      let at = slice * params.stride + row * params.n + col;
      var value = sums[e];
      if params.accumulate == 1u { value += c[at]; }
      if params.biased == 1u { value += extra[col]; }
      if params.relu == 1u { value = rectified(value); }
      if params.masked == 1u { value = passed(value, extra[at]); }
      c[at] = value;
    }
  }
}

