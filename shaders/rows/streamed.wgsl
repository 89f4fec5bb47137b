// streamed: a row's values, read whenever they are wanted: for rows that are too long for held.wgsl.
// The kernel declares `alias Item`, and `fn item(at: Place, c: u32) -> Item`, which reads column c.

fn hold(at: Place) {}

// Steps along the row, in each of which the lane has a column if it is_there.
fn steps(at: Place) -> u32 {
  return (at.cols + LANES - 1u - at.lane) / LANES;
}

fn is_there(at: Place, j: u32) -> bool {
  return true;
}

fn value(at: Place, j: u32) -> Item {
  return item(at, column(at, j));
}

