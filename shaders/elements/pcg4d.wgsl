// pcg4d: the hash that decides which elements dropout keeps
//   An element is kept if a hash of its number and of the key is at least `threshold` = rate * 2^32. The hash is the first word of
//   pcg4d (Jarzynski and Olano, 2020, Hash Functions for GPU Rendering). It uses only integers, so it is the same on every device.
//   The shader that includes this file has `draws` in its `params`.

struct Draws {
  key: vec4<u32>,
  threshold: u32,
  scale: f32, // of elements that are kept
  multiplier: u32,
  increment: u32,
  shift: u32,
}

fn hash(key: vec4<u32>) -> u32 {
  var v = key * params.draws.multiplier + params.draws.increment;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4(params.draws.shift);
  return v.x + v.y * v.w;
}

// The value if dropout keeps the element with this number (low and high word), else 0.
fn dropped(value: f32, low: u32, high: u32) -> f32 {
  let kept = hash(params.draws.key ^ vec4(low, high, 0u, 0u)) >= params.draws.threshold;
  return select(0.0, value * params.draws.scale, kept);
}
