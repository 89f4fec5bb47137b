// linear_cross_entropy: softmax_cross_entropy.wgsl on the logits x w + bias of few classes, which are never stored.
//   x: m x k, w: k x n, bias: 1 x n; targets: a class id a row, or m x n; dlogits: m x n; losses: m x 1; records: one a
//   workgroup; matrices row-major. a and b are x and w.
//   A workgroup computes a tile of BM logits x all classes (tiles.wgsl) and leaves them in workgroup memory; then each thread
//   works on a row of its own (softmax_cross_entropy.wgsl): LANES is 1, and BM, ROWS and THREADS are equal.
{% include "products/tiles.wgsl" %}
{% include "rows/softmax_cross_entropy.wgsl" %}

// The logits take a's tile over, column by column.
fn x_of(at: Place, c: u32) -> f32 {
  return a_tile[c * BM + at.local.y];
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = flat(id, count);
  let row0 = group * BM;
  multiply(thread, row0, 0u, 0u, params.k);
  for (var i = 0u; i < TM; i++) {
    for (var j = 0u; j < MINE_ACROSS; j++) {
      for (var e = 0u; e < 4u; e++) {
        let col = col_in_tile(thread, j, e);
        if col < params.n {
          a_tile[col * BM + row_in_tile(thread, i)] = sums[i * MINE_ACROSS + j][e] + bias[col];
        }
      }
    }
  }
  workgroupBarrier();
  let row = row0 + thread;
  let inside = row < params.m;
  row_work(Place(group, row, row * params.n, select(0u, params.n, inside), inside, 0u, vec2(0u, thread)));
}
