// relu_backward: dx = dy where x > 0, else 0, also where x is NaN; the gradient at x = 0 is 0.
//   x, dy, dx: any one shape, `count` elements. A workgroup owns THREADS * PER_THREAD neighbours.

struct Params {
  count: u32,
}

override THREADS: u32;
override PER_THREAD: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

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
      dx[i] = select(0.0, dy[i], is_positive(x[i]));
    }
  }
}
