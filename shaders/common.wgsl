// common: small functions for every kernel. Each file that uses them includes this file, whose text appears only once.
{% if common is undefined %}
{% set common = true %}

const SIGN_BIT: u32 = 0x80000000u;
const INFINITY_BITS: u32 = 0x7f800000u;

// NaN by its bits: WGSL lets an implementation assume that x != x is never true.
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & ~SIGN_BIT) > INFINITY_BITS;
}

fn is_negative_infinity(x: f32) -> bool {
  return bitcast<u32>(x) == (SIGN_BIT | INFINITY_BITS);
}

// The workgroup's number in the line that the host folded into a grid.
fn flat(id: vec3<u32>, count: vec3<u32>) -> u32 {
  return id.y * count.x + id.x;
}

// The numbers of `first` and its three neighbours. A number behind the end is replaced by the last one, which may be read; nothing
// is written there.
fn four(first: u32, end: u32) -> vec4<u32> {
  return min(vec4(first) + vec4(0u, 1u, 2u, 3u), vec4(end - 1u));
}
{% endif %}

