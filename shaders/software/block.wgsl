// A thread's block of 4 x 4 outputs. Each row is a variable of its own, because Microsoft's FXC cannot write to an element of a
// matrix or vector by a variable index.
fn nth(r: u32, row0: vec4<f32>, row1: vec4<f32>, row2: vec4<f32>, row3: vec4<f32>) -> vec4<f32> {
  return select(select(row0, row1, r == 1u), select(row2, row3, r == 3u), r >= 2u);
}
