// segments: where the gradient of a parameter lies, for kernels that see parameters of several layers at once.
// The kernel declares `Params`, which has `segments: array<Segment, SEGMENTS>`, and `dw: array<Cell>`.
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

// The parameter's segment. The first often has most parameters: by its literal number compilers see that
// all threads read the same.
fn segment_of(i: u32) -> Segment {
  var segment = params.segments[0];
  for (var number = 1u; i >= segment.end; number++) { segment = params.segments[number]; }
  return segment;
}

// The gradient as the backward pass left it.
fn raw_gradient(i: u32, segment: Segment) -> Value {
  let first = i + segment.gradient;
  var sum = opened(dw[first]);
  for (var s = 1u; s < segment.slices; s++) { sum += opened(dw[first + s * segment.stride]); }
  return sum;
}

