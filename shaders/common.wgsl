// common: small tools for every kernel. Whatever uses them includes this file; it is there once.
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

// Four neighbours at a time: `first` and its three neighbours; behind the end the last again, and nothing is written there.
fn four(first: u32, end: u32) -> vec4<u32> {
  return min(vec4(first) + vec4(0u, 1u, 2u, 3u), vec4(end - 1u));
}
{% endif %}

