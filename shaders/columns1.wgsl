// columns1: matmul_direct.wgsl with a column at a time.

alias Columns = f32;

fn rectified(x: Columns) -> Columns {
  return select(0.0, x, is_positive(x) || is_nan(x));
}

