// columns4: how matmul_direct.wgsl writes c, four neighbouring columns at a time.

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // any buffer where not biased
@group(0) @binding(4) var<storage, read_write> c: array<vec4<f32>>;

// Sums of a row and a group of columns.
fn write(slice: u32, row: u32, group: u32, sums: vec4<f32>) {
  if row < params.m && group < params.rights {
    let at = (slice * params.m + row) * params.rights + group;
    var values = sums;
    if ACCUMULATE { values += c[at]; }
    if BIASED { values += bias[group]; }
    if RELU {
      for (var e = 0u; e < 4u; e++) { values[e] = rectified(values[e]); }
    }
    c[at] = values;
  }
}

