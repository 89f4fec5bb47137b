// segments: where the gradient of a parameter lies, for kernels that update parameters of several layers at once.
// The kernel declares `Params`, which has `segments: array<Segment, SEGMENTS>`, and `dw: array<f32>`.
// Everything is counted in values. SEGMENTS is a constant that the host puts in front.

// A run of neighbouring parameters. Its gradient is the sum of `slices` partial ones.
struct Segment {
  end: u32,      // the parameter behind the last; that of the last segment is no less than the number of parameters
  gradient: u32, // what makes the number of a parameter that of its gradient's value; wraps
  stride: u32,   // values from one slice to the next
  slices: u32,
}

fn gradient(i: u32) -> Value {
  var number = 0u;
  while i >= params.segments[number].end { number++; }
  let segment = params.segments[number];
  let first = i + segment.gradient;
  var sum = dw[first];
  for (var s = 1u; s < segment.slices; s++) { sum += dw[first + s * segment.stride]; }
  return sum;
}

