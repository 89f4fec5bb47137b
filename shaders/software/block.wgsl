// A thread's block of 4 x 4 outputs, whose rows are vectors with names of their own: Microsoft's FXC has no matrix or vector into
// which a variable index writes.
fn nth(r: u32, row0: vec4<f32>, row1: vec4<f32>, row2: vec4<f32>, row3: vec4<f32>) -> vec4<f32> {
  return select(select(row0, row1, r == 1u), select(row2, row3, r == 3u), r >= 2u);
}
