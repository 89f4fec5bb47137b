// bias_add: out[r,c] = x[r,c] + bias[c]
//   x, out: rows x cols, row-major, `count` elements; bias: 1 x cols. A workgroup owns THREADS * PER_THREAD neighbours.

struct Params {
  count: u32,
  cols: u32,
}

override THREADS: u32;
override PER_THREAD: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let start = flat(id, count) * THREADS * PER_THREAD + thread;
  for (var j = 0u; j < PER_THREAD; j++) {
    let i = start + j * THREADS;
    if i < params.count {
      out[i] = x[i] + bias[i % params.cols];
    }
  }
}
