// row_weights: out[r] = weights[targets[r]], 0 for the ignored class: what a weighted mean divides by, row by row
//   targets: a class id a row; weights: 1 x classes where weighted, else 1; out: rows x 1, `count` elements.
//   A workgroup owns THREADS * PER_THREAD neighbours.

struct Params {
  count: u32,
  classes: u32,
  ignored: u32,
  weighted: u32, // 1 for yes
}

override THREADS: u32;
override PER_THREAD: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>; // any buffer where not weighted
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
      let class_id = targets[i];
      var value = 1.0;
      if class_id == params.ignored || class_id >= params.classes {
        value = 0.0;
      } else if params.weighted == 1u {
        value = weights[class_id];
      }
      out[i] = value;
    }
  }
}
