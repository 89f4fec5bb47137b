// held: a row's values as streamed.wgsl has them, but read once and kept in registers: up to HELD a lane, a constant that the
// host puts in front.

var<private> held: array<Item, HELD>;

fn hold(at: Place) {
  for (var j = 0u; j < HELD; j++) {
    if is_there(at, j) { held[j] = item(at, column(at, j)); }
  }
}

fn steps(at: Place) -> u32 {
  return HELD;
}

fn is_there(at: Place, j: u32) -> bool {
  return column(at, j) < at.cols;
}

fn value(at: Place, j: u32) -> Item {
  return held[j];
}

