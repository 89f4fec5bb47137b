// dense_backward: all gradients of a dense layer's backward pass in one launch, for small layers on software drivers, where a
//   further launch would cost more than the products:
//     dw = xᵀ dy, db = Σ_r dy[r,:], and dx = dy wᵀ where x is positive, else 0 (the mask of the ReLU before the layer).
//   x: rows x inputs, dy: rows x outputs, w: inputs x outputs, dx: rows x inputs; dparameters: dw, and db from word sums_at on.
//   A thread owns a block of 4 x 4 outputs as in plain.wgsl. The first threads own blocks of dw, and the others blocks of dx.
{% include "common.wgsl" %}
{% include "software/block.wgsl" %}

struct Params {
  rows: u32,
  inputs: u32,
  outputs: u32,
  sums_at: u32,
}

override THREADS: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> dparameters: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

// Computes block i of dw. A block in the first row of blocks also computes its columns of db.
fn parameters_block(i: u32, across: u32) {
  let row0 = (i / across) * 4u;
  let col0 = (i % across) * 4u;
  let left_at = four(row0, params.inputs);
  let right_at = four(col0, params.outputs);
  {% for r in range(4) %}
  var sums{{ r }} = vec4(0.0);
  {% endfor %}
  var column_sums = vec4(0.0);
  for (var s = 0u; s < params.rows; s++) {
    let left = s * params.inputs;
    let right = vec4(s * params.outputs) + right_at;
    let factors = vec4(dy[right.x], dy[right.y], dy[right.z], dy[right.w]);
    {% for r in range(4) %}
    sums{{ r }} = fma(vec4(x[left + left_at[{{ r }}]]), factors, sums{{ r }});
    {% endfor %}
    column_sums += factors;
  }
  let col_end = min(col0 + 4u, params.outputs);
  for (var row = row0; row < min(row0 + 4u, params.inputs); row++) {
    let sums = nth(row - row0, sums0, sums1, sums2, sums3);
    for (var col = col0; col < col_end; col++) { dparameters[row * params.outputs + col] = sums[col - col0]; }
  }
  if row0 == 0u {
    for (var col = col0; col < col_end; col++) { dparameters[params.sums_at + col] = column_sums[col - col0]; }
  }
}

// Computes block i of dx.
fn inputs_block(i: u32, across: u32) {
  let row0 = (i / across) * 4u;
  let col0 = (i % across) * 4u;
  if row0 >= params.rows { return; }
  let left_at = four(row0, params.rows) * params.outputs;
  let right_at = four(col0, params.inputs) * params.outputs;
  {% for r in range(4) %}
  var sums{{ r }} = vec4(0.0);
  {% endfor %}
  for (var s = 0u; s < params.outputs; s++) {
    let right = vec4(s) + right_at;
    let factors = vec4(w[right.x], w[right.y], w[right.z], w[right.w]);
    {% for r in range(4) %}
    sums{{ r }} = fma(vec4(dy[s + left_at[{{ r }}]]), factors, sums{{ r }});
    {% endfor %}
  }
  for (var row = row0; row < min(row0 + 4u, params.rows); row++) {
    let sums = nth(row - row0, sums0, sums1, sums2, sums3);
    for (var col = col0; col < min(col0 + 4u, params.inputs); col++) {
      let at = row * params.inputs + col;
      let output = bitcast<u32>(x[at]); // positive by its bits, as in values.wgsl
      dx[at] = select(0.0, sums[col - col0], output != 0u && output <= INFINITY_BITS);
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = flat(id, count) * THREADS + thread;
  let inputs_across = (params.inputs + 3u) / 4u;
  let outputs_across = (params.outputs + 3u) / 4u;
  let of_parameters = inputs_across * outputs_across;
  if i < of_parameters { parameters_block(i, outputs_across); } else { inputs_block(i - of_parameters, inputs_across); }
}
