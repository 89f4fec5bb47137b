// wide_rows: a row's reductions, where the row is longer than a binding and comes piece by piece.
//   The host runs the kernel over all pieces once for each reduction and once more. In pass n the nth reduction gathers
//   the pieces in `state`, those before it are done and read there, and what is computed from those behind it is not yet
//   right: only what the last pass writes stays.

@group(1) @binding(0) var<storage, read_write> state: array<vec2<u32>>;

fn row_peak(at: Place, nth: u32, mine: Peak) -> Peak {
  if nth < params.window.done { return Peak(state[nth].x, state[nth].y); }
  var peak = lanes_peak(at.local, mine);
  if nth == params.window.done && at.inside && at.lane == 0u {
    if params.window.first_col > 0u { peak = higher(Peak(state[nth].x, state[nth].y), peak); }
    state[nth] = vec2(peak.key, peak.col);
  }
  return peak;
}

fn row_sum(at: Place, nth: u32, mine: f32) -> f32 {
  if nth < params.window.done { return bitcast<f32>(state[nth].x); }
  var sum = lanes_sum(at.local, mine);
  if nth == params.window.done && at.inside && at.lane == 0u {
    if params.window.first_col > 0u { sum += bitcast<f32>(state[nth].x); }
    state[nth] = vec2(bitcast<u32>(sum), 0u);
  }
  return sum;
}

// What a single column has, as the row's first lane found it there; 0 elsewhere. For the first lane.
fn row_only(at: Place, nth: u32, mine: f32) -> f32 {
  if nth < params.window.done { return bitcast<f32>(state[nth].x); }
  var value = mine;
  if nth == params.window.done && at.inside && at.lane == 0u {
    if params.window.first_col > 0u { value += bitcast<f32>(state[nth].x); }
    state[nth] = vec2(bitcast<u32>(value), 0u);
  }
  return value;
}

