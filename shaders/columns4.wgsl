// columns4: how matmul_direct.wgsl writes c, four neighbouring columns at a time.

@group(0) @binding(3) var<storage, read> extra: array<vec4<f32>>; // bias or outputs; any buffer where there is neither
@group(0) @binding(4) var<storage, read_write> c: array<vec4<f32>>;

// Sums of a row and a group of columns.
fn write(slice: u32, row: u32, group: u32, sums: vec4<f32>) {
  if row < params.m && group < params.rights {
    let at = slice * params.stride / 4u + row * params.rights + group;
    var values = sums;
    if params.accumulate == 1u { values += c[at]; }
    if params.biased == 1u { values += extra[group]; }
    for (var e = 0u; e < 4u; e++) {
      if params.relu == 1u { values[e] = rectified(values[e]); }
      if params.masked == 1u { values[e] = passed(values[e], extra[at][e]); }
    }
    c[at] = values;
  }
}

