// elements: the entry point of every kernel that works on single elements. A workgroup owns THREADS * PER_THREAD
// neighbours, of which neighbouring threads take neighbouring ones.
// The kernel declares `Params`, which has a `count` of elements, and `fn element(i: u32)` for one of them.

override THREADS: u32;
override PER_THREAD: u32;

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let start = flat(id, count) * THREADS * PER_THREAD + thread;
  for (var j = 0u; j < PER_THREAD; j++) {
    let i = start + j * THREADS;
    if i < params.count { element(i); }
  }
}

