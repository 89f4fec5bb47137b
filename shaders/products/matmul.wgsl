// matmul: c = a b                 a: m x k, b: k x n, c: m x n, row-major
//   TRANSPOSE_A: a is stored k x m (matmul_tn); TRANSPOSE_B: b is stored n x k (matmul_nt).
//   store.wgsl applies bias, ReLU or mask to the finished sums. If there are several slices of k, their length is a multiple of BK.
//   A workgroup owns a BM x BN tile of c (tile.wgsl) and one slice of k. With several slices, slice s writes its partial
//   product to c + s * stride, and with COLUMN_SUMS b's column sums over the slice to c + s * stride + sums_at.

{% set operands = 2 %}
{% set named = true %}
{% include "products/store.wgsl" %}
{% import "products/tile.wgsl" as tile %}
struct Params {
{% include "products/fields.wgsl" %}
  first_group: u32, // of this dispatch: a long product comes in several
}

{{ tile.declarations() }}
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = params.first_group + flat(id, count);
  let number = group % (params.down * params.across);
  let slice = group / (params.down * params.across);
  if slice >= params.slices { return; }
  let row0 = (number / params.across) * BM;
  let col0 = (number % params.across) * BN;
  let k_begin = slice * params.slice;
  let k_end = min(k_begin + params.slice, params.k);
{{ tile.multiply("params.slice") }}

  let start = slice * params.stride;
{% for i in range(TM) %}
  {
    let row = row0 + {{ tile.row(i) }};
    {% if not ALIGNED %}
    if row < params.m {
    {% endif %}
    {% for j in range(TN // 4) %}
    store(start + row * params.n + col0 + {{ tile.col(j) }}, col0 + {{ tile.col(j) }}, s{{ i }}_{{ j }});
    {% endfor %}
    {% if not ALIGNED %}
    }
    {% endif %}
  }
{% endfor %}
{% if COLUMN_SUMS %}

  // The topmost tile of each column of tiles writes the column sums. Several threads have parts of them.
  if row0 == 0u {
    b_tile[thread] = column_sum;
    workgroupBarrier();
    let first = 4u * thread;
    if first < BN && col0 + first < params.n {
      var four = vec4(0.0);
      for (var i = thread; i < THREADS; i += BN / 4u) { four += b_tile[i]; }
      store_bare(start + params.sums_at + col0 + first, col0 + first, four);
    }
  }
{% endif %}
}
