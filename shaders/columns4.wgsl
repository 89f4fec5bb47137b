// columns4: matmul_direct.wgsl with four neighbouring columns at a time.

alias Columns = vec4<f32>;

fn rectified(x: Columns) -> Columns {
  var out = x;
  for (var e = 0u; e < 4u; e++) { out[e] = select(0.0, x[e], is_positive(x[e]) || is_nan(x[e])); }
  return out;
}

