// fours: four neighbours at a time.

// `first` and its three neighbours; behind the end the last again, and nothing is written there.
fn four(first: u32, end: u32) -> vec4<u32> {
  return min(vec4(first) + vec4(0u, 1u, 2u, 3u), vec4(end - 1u));
}

