// pcg4d: the hash by which dropout chooses (Jarzynski and Olano, 2020, Hash Functions for GPU Rendering). It takes integers alone
//   and is the same on every device. The including shader's `params` have its multiplier, increment and shift.

// The first word of the hash.
fn hash(key: vec4<u32>) -> u32 {
  var v = key * params.multiplier + params.increment;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4(params.shift);
  return v.x + v.y * v.w;
}
