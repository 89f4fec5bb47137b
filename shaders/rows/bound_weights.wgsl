// bound_weights: contract.wgsl's weights and divisor where they are bound: weights, of the classes in the window; samples, of
// its rows; divisor, of a mean.

fn weight(c: u32) -> f32 {
  if params.contract.weighted == 1u { return weights[c]; }
  return 1.0;
}

fn row_weight(row: u32) -> f32 {
  if params.contract.sampled == 1u { return samples[row]; }
  return 1.0;
}

// A mean over nothing moves nothing.
fn gradient_scale() -> f32 {
  if params.contract.divided == 0u { return params.contract.scale; }
  let sum = divisor[0];
  if sum == 0.0 { return 0.0; }
  return 1.0 / sum;
}

