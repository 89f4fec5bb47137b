// copy: target[i] = source[i], a workgroup PER_LANE * LANES neighbours. The host puts `alias Element = ..` in front.

override LANES: u32;
override PER_LANE: u32;

@group(0) @binding(0) var<storage, read> source: array<Element>;
@group(0) @binding(1) var<storage, read_write> copied: array<Element>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * LANES * PER_LANE + lane;
  for (var j = 0u; j < PER_LANE; j++) {
    copied[first + j * LANES] = source[first + j * LANES];
  }
}
