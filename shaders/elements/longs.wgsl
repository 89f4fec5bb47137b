// longs: four values as two 64-bit words, for kernels of software drivers: these check each word's address, however long it is.

fn opened_long(x: vec2<u64>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(u32(x.x), u32(x.x >> 32u), u32(x.y), u32(x.y >> 32u)));
}

fn closed_long(x: vec4<f32>) -> vec2<u64> {
  let words = bitcast<vec4<u32>>(x);
  return vec2<u64>(u64(words.x) | (u64(words.y) << 32u), u64(words.z) | (u64(words.w) << 32u));
}

