// rows: what every kernel that works on rows needs: which threads share a row. LANES threads share a row, each taking every
// LANES-th column; ROWS rows share a workgroup. Reductions follow fixed trees, so the same input gives the same bits; every
// thread must take part in them, also for rows behind the end.

override LANES: u32;
override ROWS: u32;
override FAN: u32;
override ROW_THREADS: u32 = LANES * ROWS; // named: naga 30 trips over unnamed array sizes with overrides behind them

// The rows of the matrix that are bound: all of them, or some.
struct Window {
  rows: u32,
  cols: u32,
  first_row: u32, // the number of the first in the matrix
  nan: f32,       // handed over as data: WGSL has no literal for it
}

// What a thread works on, counted within the window.
struct Place {
  group: u32,  // the workgroup's number
  row: u32,
  start: u32,  // where the row starts
  cols: u32,   // its columns; none for a row behind the end
  inside: bool, // whether the row exists
  lane: u32,   // the thread's first column
  local: vec2<u32>, // lane and row within the workgroup
}

// The column of a lane's jth step along its row.
fn column(at: Place, j: u32) -> u32 {
  return at.lane + j * LANES;
}

// A lane's steps along its row.
fn steps(at: Place) -> u32 {
  return (at.cols + LANES - 1u - at.lane) / LANES;
}

// A row's maximum as an order-preserving key, and the first column that holds it.
struct Peak {
  key: u32,
  col: u32,
}

// Columns that a lane adds up by themselves: a long row's sum stays nearly as exact as a tree's.
const RUN: u32 = 32u;

const NAN_KEY: u32 = 0xffffffffu;

// Unsigned integers in the order of the floats: NaN above +inf above the finite ones above -inf (as NumPy's argmax
// ranks them), both zeros equal. Integers are exact where float comparisons may assume that NaN and inf do not occur.
fn order_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if is_nan(x) { return NAN_KEY; }
  if (bits & ~SIGN_BIT) == 0u { return SIGN_BIT; }
  return select(bits | SIGN_BIT, ~bits, bits >= SIGN_BIT);
}

// The float behind a key that is not NaN's.
fn from_key(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & ~SIGN_BIT, key >= SIGN_BIT));
}

// A row whose softmax does not exist: it holds NaN or +inf, or nothing but -inf.
fn is_bad(peak: Peak) -> bool {
  return peak.key >= (SIGN_BIT | INFINITY_BITS) || peak.key == ~(SIGN_BIT | INFINITY_BITS);
}

fn higher(a: Peak, b: Peak) -> Peak {
  if b.key > a.key || (b.key == a.key && b.col < a.col) { return b; }
  return a;
}

// exp(x - top) for x <= top; 0 for x = -inf, without computing with infinities. Below exp(FAR_BELOW) f32 has only 0.
const FAR_BELOW: f32 = -128.0;

fn exp_below(x: f32, top: f32) -> f32 {
  return select(exp(max(x - top, FAR_BELOW)), 0.0, is_negative_infinity(x));
}

