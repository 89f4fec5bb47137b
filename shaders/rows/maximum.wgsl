// maximum: the maximum of a row, by integer keys in the order of the floats, and exponentials relative to it.

// A row's maximum as an order-preserving key, and the first column that holds it.
struct RowMaximum {
  key: u32,
  col: u32,
}

const NAN_KEY: u32 = 0xffffffffu;

// Unsigned integers in the order of the floats: NaN above +inf above the finite ones above -inf (as NumPy's argmax
// ranks them), both zeros equal. Integers are exact where float comparisons may assume that NaN and inf do not occur.
fn order_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let ordered = select(bits | SIGN_BIT, ~bits, bits >= SIGN_BIT);
  return select(select(ordered, SIGN_BIT, (bits & ~SIGN_BIT) == 0u), NAN_KEY, is_nan(x));
}

// The float behind a key that is not NaN's.
fn from_key(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & ~SIGN_BIT, key >= SIGN_BIT));
}

fn higher(a: RowMaximum, b: RowMaximum) -> RowMaximum {
  if b.key > a.key || (b.key == a.key && b.col < a.col) { return b; }
  return a;
}

// The higher of a and a value in a later column. If they are equal, the earlier column stays.
fn raised_to(a: RowMaximum, key: u32, col: u32) -> RowMaximum {
  let above = key > a.key;
  return RowMaximum(select(a.key, key, above), select(a.col, col, above));
}

// exp(x - top) for x <= top; 0 for x = -inf, without computing with infinities. exp(FAR_BELOW) is 0 in f32.
const FAR_BELOW: f32 = -128.0;

fn exp_below(x: f32, top: f32) -> f32 {
  return select(exp(max(x - top, FAR_BELOW)), 0.0, is_negative_infinity(x));
}

// A key for a maximum whose column does not matter. It takes less work than the key above. All NaN are above +inf, and -inf is 0.
const BELOW_ALL: u32 = ~(SIGN_BIT | INFINITY_BITS); // the key of -inf; those of NaN with a sign wrap around

fn top_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return (bits ^ (bitcast<u32>(bitcast<i32>(bits) >> 31u) | SIGN_BIT)) - BELOW_ALL;
}

fn from_top_key(key: u32) -> f32 {
  return from_key(key + BELOW_ALL);
}

// Whether a row with this maximum has no softmax: it holds NaN or +inf, or nothing but -inf.
fn is_bad(key: u32) -> bool {
  return key == 0u || key >= (SIGN_BIT | INFINITY_BITS) - BELOW_ALL;
}

// Whether x is the maximum of a row that has a softmax: compares bits, but not the sign of zeros.
fn is_top(x: f32, top: f32) -> bool {
  let counting = select(~0u, ~SIGN_BIT, (bitcast<u32>(top) & ~SIGN_BIT) == 0u);
  return (bitcast<u32>(x) & counting) == (bitcast<u32>(top) & counting);
}
