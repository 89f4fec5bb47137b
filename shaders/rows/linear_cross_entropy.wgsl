// linear_cross_entropy: softmax_cross_entropy.wgsl on the logits x w + bias, for few classes. The logits are not stored in a buffer.
//   x: m x k, w: k x n, bias: 1 x n; targets: a class id a row, or m x n; dlogits: m x n; losses: m x 1; records: one a
//   workgroup; matrices row-major. tile.wgsl calls x and w a and b.
//   A workgroup computes the logits of BM rows (tile.wgsl) and leaves them in workgroup memory; then each thread computes
//   the loss of one row (softmax_cross_entropy.wgsl): LANES is 1, and BM, ROWS and THREADS are equal.
{% import "products/tile.wgsl" as tile %}
{% include "rows/softmax_cross_entropy.wgsl" %}

{{ tile.declarations() }}
// The logits replace a's tile in workgroup memory: column by column, in groups of four rows.
fn x_of(at: RowThread, c: u32) -> f32 {
  return a_tile[{{ tile.first_group(tile.factors[0], "c") }} + at.local.y / 4u][at.local.y % 4u];
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = flat(id, count);
  let row0 = group * BM;
  // A folded grid may have workgroups behind the last row. With ALIGNED no load is guarded, so they must not load rows of x.
  if row0 >= params.m { return; }
  let col0 = 0u;
  let k_begin = 0u;
  let k_end = params.k;
{{ tile.multiply("params.k") }}
{% for j in range(TN // 4) %}
{% for e in range(4) %}
  {
    let col = {{ tile.col(j) }} + {{ e }}u;
    if col < params.n {
      {% for i in range(0, TM, 4) %}
      a_tile[{{ tile.first_group(tile.factors[0], "col") }} + down + {{ i // 4 * tile.down }}u] = vec4(bias[col])
        + vec4({% for r in range(4) %}s{{ i + r }}_{{ j }}.{{ "xyzw"[e] }}{{ "" if loop.last else ", " }}{% endfor %});
      {% endfor %}
    }
  }
{% endfor %}
{% endfor %}
  workgroupBarrier();
  let row = row0 + thread;
  let inside = row < params.m;
  row_work(RowThread(group, row, row * params.n, select(0u, params.n, inside), inside, 0u, vec2(0u, thread)));
}
