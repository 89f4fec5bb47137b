// columns1: how matmul_direct.wgsl writes c, value by value.

override SWAPPED: bool;

@group(0) @binding(3) var<storage, read> bias: array<f32>; // any buffer where not biased
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

// Sums of one of left's rows or columns and a group of right's.
fn write(slice: u32, i: u32, group: u32, sums: vec4<f32>) {
  for (var e = 0u; e < 4u; e++) {
    let j = group * 4u + e;
    let row = select(i, j, SWAPPED);
    let col = select(j, i, SWAPPED);
    if row < params.m && col < params.n {
      let at = (slice * params.m + row) * params.n + col;
      var value = sums[e];
      if ACCUMULATE { value += c[at]; }
      if BIASED { value += bias[col]; }
      if RELU { value = rectified(value); }
      c[at] = value;
    }
  }
}

