// rows: which threads share a row, and how they reduce along it. LANES threads share a row, each taking every LANES-th column;
//   ROWS rows share a workgroup. Reductions follow fixed trees, so the same input gives the same bits; every thread must take
//   part in them, also for rows behind the end.
//   The kernel declares `Params`, which begins with `window: Window`, and `fn row_work(at: Place)`. linear_cross_entropy, which
//   makes its rows, has an entry point of its own.
//   A kernel that goes along its rows more than once imports rows/items.wgsl.
{% include "common.wgsl" %}
{% set linear = kernel == "linear_cross_entropy" %}

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
{% if subgroups and not linear %}

// Reductions over the lanes of a row that has a workgroup to itself (ROWS is 1), with subgroup operations: each subgroup gathers
// what its lanes hold, then everyone gathers what the subgroups hold.

// Set by the entry point: the thread's number in its subgroup, the subgroup's in the workgroup, and how many there are.
struct Subgroup {
  lane: u32,
  number: u32,
  count: u32,
}

var<private> subgroup: Subgroup;

var<workgroup> row_values: array<f32, ROW_THREADS>; // one a subgroup
var<workgroup> row_peaks: array<Peak, ROW_THREADS>;

// The lanes come from loops that some leave before others, and Vulkan does not promise that they go on together: the barrier
// in front brings them together, and behind it the last result has been read, too.
fn lanes_peak(local: vec2<u32>, mine: Peak) -> Peak {
  workgroupBarrier();
  let key = subgroupMax(mine.key);
  let col = subgroupMin(select(NO_COL, mine.col, mine.key == key));
  if subgroup.lane == 0u { row_peaks[subgroup.number] = Peak(key, col); }
  workgroupBarrier();
  var peak = row_peaks[0];
  for (var i = 1u; i < subgroup.count; i++) { peak = higher(peak, row_peaks[i]); }
  return peak;
}

fn lanes_sum(local: vec2<u32>, mine: f32) -> f32 {
  workgroupBarrier();
  let partial = subgroupAdd(mine);
  if subgroup.lane == 0u { row_values[subgroup.number] = partial; }
  workgroupBarrier();
  var sum = row_values[0];
  for (var i = 1u; i < subgroup.count; i++) { sum += row_values[i]; }
  return sum;
}

const NO_COL: u32 = 0xffffffffu;
{% else %}

// Reductions over the lanes of a row through workgroup memory: the first of every FAN values gathers its FAN, then everyone
// gathers what those hold. Flat trees, because each barrier costs a software driver much.

var<workgroup> row_values: array<f32, ROW_THREADS>;
var<workgroup> row_peaks: array<Peak, ROW_THREADS>;

fn lanes_peak(local: vec2<u32>, mine: Peak) -> Peak {
  if LANES == 1u { return mine; }
  let start = local.y * LANES;
  let heads = max(LANES / FAN, 1u);
  workgroupBarrier(); // the last result has been read
  row_peaks[start + local.x] = mine;
  workgroupBarrier();
  if local.x < heads {
    var peak = mine;
    for (var i = heads; i < LANES; i += heads) { peak = higher(peak, row_peaks[start + local.x + i]); }
    row_peaks[start + local.x] = peak;
  }
  workgroupBarrier();
  var peak = row_peaks[start];
  for (var i = 1u; i < heads; i++) { peak = higher(peak, row_peaks[start + i]); }
  return peak;
}

fn lanes_sum(local: vec2<u32>, mine: f32) -> f32 {
  if LANES == 1u { return mine; }
  let start = local.y * LANES;
  let heads = max(LANES / FAN, 1u);
  workgroupBarrier(); // the last result has been read
  row_values[start + local.x] = mine;
  workgroupBarrier();
  if local.x < heads {
    var sum = mine;
    for (var i = heads; i < LANES; i += heads) { sum += row_values[start + local.x + i]; }
    row_values[start + local.x] = sum;
  }
  workgroupBarrier();
  var sum = row_values[start];
  for (var i = 1u; i < heads; i++) { sum += row_values[start + i]; }
  return sum;
}
{% endif %}
{% if not linear %}

@group(0) @binding(0) var<uniform> params: Params;

fn place(group: u32, local: vec2<u32>) -> Place {
  let row = group * ROWS + local.y;
  let inside = row < params.window.rows;
  let cols = select(0u, params.window.cols, inside);
  return Place(group, row, row * params.window.cols, cols, inside, local.x, local);
}

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
{% if subgroups %}
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_id) number: u32,
  @builtin(num_subgroups) subgroups: u32,
{% endif %}
) {
{% if subgroups %}
  subgroup = Subgroup(lane, number, subgroups);
{% endif %}
  row_work(place(flat(id, count), local.xy));
}
{% endif %}
