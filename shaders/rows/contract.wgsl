// contract: how a row's target becomes the masses q of its classes, for the kernels that follow PyTorch's CrossEntropyLoss:
//   q[c] = v * w[c] * ((1 - smoothing) * y[c] + smoothing / C)
//   y: the row's one-hot or distribution (targets.wgsl); w: the class weights; v: the row's own weight; C: the classes.
// The kernel declares `Params`, which has `contract: Contract`, and weight(c) and row_weight(row) for w and v.

struct Contract {
  smoothing: f32,
  spread: f32,   // smoothing / C
  scale: f32,    // of the gradient, where no divisor is bound
  ignored: u32,  // the class whose rows count for nothing, or none of the classes
  marked: u32,   // the id, none of the classes, that marks such rows; 0 for none
  weighted: u32, // 1 for yes: a uniform branch costs nothing, a variant more to compile does
  sampled: u32,
  divided: u32,
}

// Whether a row of this class counts for nothing.
fn is_ignored(class_id: u32, classes: u32) -> bool {
  if DISTRIBUTIONS { return false; }
  return class_id == select(params.contract.marked, params.contract.ignored, class_id < classes);
}

// Of the class first_col + c, which a distribution has at start + c; without the row's own weight.
fn class_mass(class_id: u32, start: u32, c: u32, first_col: u32) -> f32 {
  let share = target_share(class_id, start, c, first_col);
  return weight(c) * ((1.0 - params.contract.smoothing) * share + params.contract.spread);
}

