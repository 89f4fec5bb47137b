// segments: where the gradient of a parameter lies, for kernels that see parameters of several layers at once.
// The kernel declares `Params`, which has `segments: array<Segment, SEGMENTS>`, and `dw: array<Value>`.
// Everything but `filled` is counted in values. SEGMENTS is a constant that the host puts in front.

// A run of neighbouring parameters. Its gradient is the sum of `slices` partial ones.
struct Segment {
  end: u32,      // the parameter behind the last; that of the last segment is no less than the number of parameters
  gradient: u32, // what makes the number of a parameter that of its gradient's value; wraps
  stride: u32,   // values from one slice to the next
  slices: u32,
  filled: u32,   // the word behind the last; padding comes behind it
  l1: f32,       // penalties add l1 * sign(w) + l2 * w to the gradient
  l2: f32,
  spare: u32,
}

// The number of the parameter's segment.
fn segment_of(i: u32) -> u32 {
  var number = 0u;
  while i >= params.segments[number].end { number++; }
  return number;
}

// The gradient as the backward pass left it.
fn raw_gradient(i: u32, number: u32) -> Value {
  let first = i + params.segments[number].gradient;
  let stride = params.segments[number].stride;
  var sum = dw[first];
  for (var s = 1u; s < params.segments[number].slices; s++) { sum += dw[first + s * stride]; }
  return sum;
}

