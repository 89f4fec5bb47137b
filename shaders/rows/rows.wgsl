// rows: which threads share a row, and how they reduce along it. LANES threads share a row, each taking every LANES-th
//   column; ROWS rows share a workgroup. Reductions follow fixed trees, so the same input gives the same bits; every
//   thread must take part in them, also for rows behind the end.
//   The kernel declares `Params`, which begins with `window: Window`, and `fn row_work(at: Place)`.
//   linear_cross_entropy, which makes its rows, has an entry point of its own.
//   A kernel that goes along all of its rows' values names its `inputs`, by what a value of theirs is called, and says
//   what it does by the macros below. Where the values come from is the form's:
//     as declared  from memory, whenever they are wanted: so software drivers like it
//     staged       short rows, one a thread: the workgroup brings them to its memory, neighbouring words by
//                  neighbouring threads, and each thread its own from there to registers
//     held         from registers, HELD a lane, read once: variables with names, because compilers keep arrays in
//                  memory
//     pieces       long rows: through such registers piece by piece
//   HELD is a constant that the host puts in front, for staged rows their most columns. By fours, a lane takes four
//   columns at a time, which lie in one cell of memory.
{% include "common.wgsl" %}
{% set linear = kernel == "linear_cross_entropy" %}
{% set registers = inputs is defined and not linear and (held or pieces or staged) %}
{% set in_pieces = registers and pieces %}
{% set in_tile = inputs is defined and not linear and staged %}
{% set wide = registers and fours and not staged %}
{# Whether what is computed from a value can take its place until it is wanted again. #}
{% set keeps = registers and not in_pieces %}
{% set row_cell = "vec4<f32>" if wide or (in_tile and fours) else "f32" %}
{# Division is slow on hardware, and `inverse` is 1 / sum. #}
{% set over_sum = "* inverse" if registers or in_tile else "/ sum" %}
{% set parts = [".x", ".y", ".z", ".w"] if wide else [""] %}

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

// Columns of a step along the rows, of all lanes.
override STEP: u32 = {% if wide %}4u * {% endif %}LANES;

// The (first) column of a lane's jth step.
fn column(at: Place, j: u32) -> u32 {
  return at.lane + j * STEP;
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
  let ordered = select(bits | SIGN_BIT, ~bits, bits >= SIGN_BIT);
  return select(select(ordered, SIGN_BIT, (bits & ~SIGN_BIT) == 0u), NAN_KEY, is_nan(x));
}

// The float behind a key that is not NaN's.
fn from_key(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & ~SIGN_BIT, key >= SIGN_BIT));
}

fn higher(a: Peak, b: Peak) -> Peak {
  if b.key > a.key || (b.key == a.key && b.col < a.col) { return b; }
  return a;
}

// The same where b comes behind a: only what is above counts.
fn raised(a: Peak, key: u32, col: u32) -> Peak {
  let above = key > a.key;
  return Peak(select(a.key, key, above), select(a.col, col, above));
}

// exp(x - top) for x <= top; 0 for x = -inf, without computing with infinities. Below exp(FAR_BELOW) f32 has only 0.
const FAR_BELOW: f32 = -128.0;

fn exp_below(x: f32, top: f32) -> f32 {
  return select(exp(max(x - top, FAR_BELOW)), 0.0, is_negative_infinity(x));
}

// A maximum alone, where its column does not matter: less work a value. All NaN are above +inf, and -inf is 0.
const BELOW_ALL: u32 = ~(SIGN_BIT | INFINITY_BITS); // the key of -inf; those of NaN with a sign wrap around

fn top_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return (bits ^ (bitcast<u32>(bitcast<i32>(bits) >> 31u) | SIGN_BIT)) - BELOW_ALL;
}

fn from_top(key: u32) -> f32 {
  return from_key(key + BELOW_ALL);
}

// A row whose softmax does not exist: it holds NaN or +inf, or nothing but -inf.
fn is_bad(key: u32) -> bool {
  return key == 0u || key >= (SIGN_BIT | INFINITY_BITS) - BELOW_ALL;
}

// Whether x is the maximum of a row that has a softmax: by bits, but for a zero's sign.
fn is_top(x: f32, top: f32) -> bool {
  let counting = select(~0u, ~SIGN_BIT, (bitcast<u32>(top) & ~SIGN_BIT) == 0u);
  return (bitcast<u32>(x) & counting) == (bitcast<u32>(top) & counting);
}

// A sum, and the first of some columns.
struct Found {
  sum: f32,
  col: u32,
}

fn found(a: Found, b: Found) -> Found {
  return Found(a.sum + b.sum, min(a.col, b.col));
}

const NO_COL: u32 = 0xffffffffu;

fn larger(a: u32, b: u32) -> u32 {
  return max(a, b);
}

fn added(a: f32, b: f32) -> f32 {
  return a + b;
}
{# The reductions: by name, the type, what joins two, and what changes nothing. #}
{% set reductions = [
  ("peak", "Peak", "higher", "Peak(0u, NO_COL)"), ("top", "u32", "larger", "0u"), ("sum", "f32", "added", "0.0"),
  ("found", "Found", "found", "Found(0.0, NO_COL)")
] %}
{% for name, type, join, nothing in reductions %}

var<workgroup> row_{{ name }}s: array<{{ type }}, ROW_THREADS>;
{% endfor %}
{% if subgroups and not linear %}

// Reductions over the lanes of a row that has a workgroup to itself (ROWS is 1), with subgroup operations: each
// subgroup gathers what its lanes hold, then everyone gathers what the subgroups hold.

// Set by the entry point: the thread's number in its subgroup, the subgroup's in the workgroup, how many there are, and
// of how many threads.
struct Subgroup {
  lane: u32,
  number: u32,
  count: u32,
  size: u32,
}

var<private> subgroup: Subgroup;

fn subgroup_peak(mine: Peak) -> Peak {
  let key = subgroupMax(mine.key);
  return Peak(key, subgroupMin(select(NO_COL, mine.col, mine.key == key)));
}

fn subgroup_found(mine: Found) -> Found {
  return Found(subgroupAdd(mine.sum), subgroupMin(mine.col));
}

fn subgroup_top(mine: u32) -> u32 {
  return subgroupMax(mine);
}

fn subgroup_sum(mine: f32) -> f32 {
  return subgroupAdd(mine);
}
{% for name, type, join, nothing in reductions %}

{% if loop.first %}
// The lanes come from loops that some leave before others, and Vulkan does not promise that they go on together: the
// barrier in front brings them together, and behind it the last result has been read, too.
// Of few subgroups everyone goes through what they hold; of many, each subgroup joins that once more.
{% endif %}
fn lanes_{{ name }}(local: vec2<u32>, mine: {{ type }}) -> {{ type }} {
  workgroupBarrier();
  let partial = subgroup_{{ name }}(mine);
  if subgroup.lane == 0u { row_{{ name }}s[subgroup.number] = partial; }
  workgroupBarrier();
  if LANES / FAN >= MANY {
    var all = {{ nothing }};
    for (var first = 0u; first < subgroup.count; first += subgroup.size) {
      let i = first + subgroup.lane;
      // Not by a branch: the lanes stay together.
      let other = row_{{ name }}s[min(i, subgroup.count - 1u)];
{% if type == "Peak" %}
      all = higher(all, Peak(select(0u, other.key, i < subgroup.count), other.col));
{% elif type == "Found" %}
      all = found(all, Found(select(0.0, other.sum, i < subgroup.count), other.col)); // the last's once more
{% else %}
      all = {{ join }}(all, select({{ nothing }}, other, i < subgroup.count));
{% endif %}
    }
    return subgroup_{{ name }}(all);
  }
  var all = row_{{ name }}s[0];
  for (var i = 1u; i < subgroup.count; i++) { all = {{ join }}(all, row_{{ name }}s[i]); }
  return all;
}
{% endfor %}

const MANY: u32 = 32u; // times FAN lanes
{% else %}
{% for name, type, join, nothing in reductions %}

{% if loop.first %}
// Reductions over the lanes of a row through workgroup memory: of more than FAN lanes the first of every FAN gathers
// its FAN, then everyone gathers what those hold. Flat trees, because each barrier costs a software driver much.
{% endif %}
fn lanes_{{ name }}(local: vec2<u32>, mine: {{ type }}) -> {{ type }} {
  if LANES == 1u { return mine; }
  let start = local.y * LANES;
  let heads = select(LANES, LANES / FAN, LANES > FAN);
  workgroupBarrier(); // the last result has been read
  row_{{ name }}s[start + local.x] = mine;
  workgroupBarrier();
  if LANES > FAN {
    if local.x < heads {
      var all = mine;
      for (var i = heads; i < LANES; i += heads) { all = {{ join }}(all, row_{{ name }}s[start + local.x + i]); }
      row_{{ name }}s[start + local.x] = all;
    }
    workgroupBarrier();
  }
  var all = row_{{ name }}s[start];
  for (var i = 1u; i < heads; i++) { all = {{ join }}(all, row_{{ name }}s[start + i]); }
  return all;
}
{% endfor %}
{% endif %}
{% if not linear %}

@group(0) @binding(0) var<uniform> params: Params;

fn place(group: u32, local: vec2<u32>) -> Place {
  let row = group * ROWS + local.y;
  let inside = row < params.window.rows;
  let cols = select(0u, params.window.cols, inside);
  return Place(group, row, row * params.window.cols, cols, inside, {% if wide %}4u * {% endif %}local.x, local);
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
  @builtin(subgroup_size) size: u32,
{% endif %}
) {
{% if subgroups %}
  subgroup = Subgroup(lane, number, subgroups, size);
{% endif %}
  row_work(place(flat(id, count), local.xy));
}
{% endif %}
{% if inputs is defined %}
{% if not linear %}
{% for name in inputs %}

// One value, wherever it is wanted.
fn {{ name }}_of(at: Place, c: u32) -> f32 {
{% if in_tile %}
  return {{ inputs[name] }}_rows[spot(at.local.y * params.window.cols + c)];
{% elif wide %}
  let i = at.start + c;
  return {{ inputs[name] }}[i / 4u][i % 4u];
{% else %}
  return {{ inputs[name] }}[at.start + c];
{% endif %}
}
{% endfor %}
{% endif %}
{% if registers and not in_tile %}

// Where the values of a lane's jth step are; those of some step of the window where the row has no such step.
fn cell(at: Place, j: u32) -> u32 {
  return min(at.start + column(at, j), params.window.rows * params.window.cols - 1u){% if wide %} / 4u{% endif %};
}
{% endif %}

// Steps along the row in which the lane has columns.
fn steps(at: Place) -> u32 {
  return (at.cols + STEP - 1u - at.lane) / STEP;
}
{% if in_tile %}

// The workgroup's rows lie behind each other; with a word between each RUN of them, so that rows start in different
// banks.
override ROW_WORDS: u32 = ROWS * HELD;
override ROW_TILE: u32 = ROW_WORDS + ROW_WORDS / RUN;
{% for name in inputs %}
var<workgroup> {{ inputs[name] }}_rows: array<f32, ROW_TILE>;
{% endfor %}
{% set tile = inputs[inputs | first] ~ "_rows" %}

fn spot(word: u32) -> u32 {
  return word + word / RUN;
}

// Words of the workgroup's rows.
fn staged_words(at: Place) -> u32 {
  let before = min(at.group * ROWS, params.window.rows);
  return min(ROWS, params.window.rows - before) * params.window.cols;
}
{% endif %}

{#
  What a kernel does along its rows, for a body of WGSL that sees the column c and x, or whatever its inputs are called:
    hold()              first: brings the values to where the form has them
    each()              the body, for each value
    runs(sum, type)     the same, where the body adds to `run`: runs join in `sum`. Where the form `keeps` values, the
                        body may say what the input `keep` is from then on, as `kept`
    results(output)     the same, where the body says what `result` is
    results(output, sum) in pieces the body may add to `run`, too: runs join in `sum`
    peak_and_sum()      in pieces: the maximum's `key`, and `sum` of exp(x - its value), of all lanes, in one go; the body may add to
                        `run` for each value: runs join in `more`, of the lane
#}
{% macro values(first, body, output, keep="") %}
{% for j in range(HELD) %}
    if column(at, {{ first }}{{ j }}u) < at.cols {
{% if output and wide %}
      var {{ output }}_{{ j }} = vec4(0.0);
{% endif %}
{% for part in parts %}
      {
        let c = column(at, {{ first }}{{ j }}u) + {{ loop.index0 }}u;
{% for name in inputs %}
        let {{ name }} = {{ name }}_{{ j }}{{ part }};
{% endfor %}
{{ body() }}
{% if keep %}
        {{ keep }}_{{ j }}{{ part }} = kept;
{% endif %}
{% if output and wide %}
        {{ output }}_{{ j }}{{ part }} = result;
{% elif output and in_tile %}
        {{ tile }}[spot(at.local.y * params.window.cols + c)] = result;
{% elif output %}
        {{ output }}[at.start + c] = result;
{% endif %}
      }
{% endfor %}
{% if output and wide %}
      {{ output }}[(at.start + column(at, {{ first }}{{ j }}u)) / 4u] = {{ output }}_{{ j }};
{% endif %}
    }
{% endfor %}
{% endmacro %}
{% macro read(first) %}
{% for j in range(HELD) %}
{% for name in inputs %}
    {{ "var" if keeps else "let" }} {{ name }}_{{ j }} = {{ inputs[name] }}[cell(at, {{ first }}{{ j }}u)];
{% endfor %}
{% endfor %}
{% endmacro %}
{% macro here() %}
    let c = column(at, j);
{% for name in inputs %}
    let {{ name }} = {{ name }}_of(at, c);
{% endfor %}
{% endmacro %}
{% macro hold() %}
{% if in_tile %}
  let all = staged_words(at);
  let origin = at.group * ROWS * params.window.cols;
{% if fours %}
  // All that a thread brings is on its way before the first of it is wanted; behind the window's end, where a folded grid
  // has workgroups, too, the last again.
  let words = params.window.rows * params.window.cols;
{% for k in range(HELD // 4) %}
  let i_{{ k }} = 4u * (at.local.y + {{ k }}u * ROW_THREADS);
{% for name in inputs %}
  let brought_{{ name }}_{{ k }} = {{ inputs[name] }}[min(origin + i_{{ k }}, words - 4u) / 4u];
{% endfor %}
{% endfor %}
{% for k in range(HELD // 4) %}
  if i_{{ k }} < all {
    let at_i = spot(i_{{ k }});
{% for name in inputs %}
{% for part in ["x", "y", "z", "w"] %}
    {{ inputs[name] }}_rows[at_i + {{ loop.index0 }}u] = brought_{{ name }}_{{ k }}.{{ part }};
{% endfor %}
{% endfor %}
  }
{% endfor %}
{% else %}
  for (var i = at.local.y; i < all; i += ROW_THREADS) {
{% for name in inputs %}
    {{ inputs[name] }}_rows[spot(i)] = {{ inputs[name] }}[origin + i];
{% endfor %}
  }
{% endif %}
  workgroupBarrier();
{% for j in range(HELD) %}
{% for name in inputs %}
  var {{ name }}_{{ j }} = 0.0;
{% endfor %}
  if {{ j }}u < params.window.cols {
    let word = spot(at.local.y * params.window.cols + {{ j }}u);
{% for name in inputs %}
    {{ name }}_{{ j }} = {{ inputs[name] }}_rows[word];
{% endfor %}
  }
{% endfor %}
{% elif keeps %}
{{ read("") }}
{% endif %}
{% endmacro %}
{% macro each() %}
{% if registers and not in_pieces %}
{{ values("", caller, "") }}
{% elif registers %}
  for (var first = 0u; first < steps(at); first += HELD) {
{{ read("first + ") }}
{{ values("first + ", caller, "") }}
  }
{% else %}
  for (var j = 0u; j < steps(at); j++) {
{{ here() }}
{{ caller() }}
  }
{% endif %}
{% endmacro %}
{% macro runs(sum, type, keep="") %}
{% if registers and not in_pieces %}
  var run = {{ type }}();
{{ values("", caller, "", keep) }}
  {{ sum }} = run;
{% elif registers %}
  for (var first = 0u; first < steps(at); first += HELD) {
    var run = {{ type }}();
{{ read("first + ") }}
{{ values("first + ", caller, "") }}
    {{ sum }} += run;
  }
{% else %}
  for (var first = 0u; first < steps(at); first += RUN) {
    var run = {{ type }}();
    for (var j = first; j < min(first + RUN, steps(at)); j++) {
{{ here() }}
{{ caller() }}
    }
    {{ sum }} += run;
  }
{% endif %}
{% endmacro %}
{% macro results(output, sum="") %}
{% if registers and not in_pieces %}
{{ values("", caller, output) }}
{% if in_tile %}
  workgroupBarrier();
{% if fours %}
{% for k in range(HELD // 4) %}
  if i_{{ k }} < all {
    let at_i = spot(i_{{ k }});
    let low = vec2({{ tile }}[at_i], {{ tile }}[at_i + 1u]);
    {{ output }}[(origin + i_{{ k }}) / 4u] = vec4(low, {{ tile }}[at_i + 2u], {{ tile }}[at_i + 3u]);
  }
{% endfor %}
{% else %}
  for (var i = at.local.y; i < all; i += ROW_THREADS) { {{ output }}[origin + i] = {{ tile }}[spot(i)]; }
{% endif %}
{% endif %}
{% elif registers %}
  // Backwards: what was read last is likely to be in a cache still.
  for (var piece = (steps(at) + HELD - 1u) / HELD; piece > 0u; piece--) {
    let first = (piece - 1u) * HELD;
{% if sum %}
    var run = 0.0;
{% endif %}
{{ read("first + ") }}
{{ values("first + ", caller, output) }}
{% if sum %}
    {{ sum }} += run;
{% endif %}
  }
{% else %}
  for (var j = 0u; j < steps(at); j++) {
{{ here() }}
{{ caller() }}
    {{ output }}[at.start + c] = result;
  }
{% endif %}
{% endmacro %}
{% macro raise_peak() %}
        key = max(key, top_key(x));
{% endmacro %}
{% macro add_term() %}
        run += exp_below(x, base);
{% endmacro %}
{% macro peak_and_sum() %}
  // A lane's sum is that of exp(x - base). Its base follows the maximum once that is further than 1 above: seldom, so
  // that hardly a rounding error comes of it, and no term is more than e.
  var key = 0u;
  var base = from_key(~(SIGN_BIT | INFINITY_BITS)); // -inf
  var sum = 0.0;
  var more = 0.0;
  for (var first = 0u; first < steps(at); first += HELD) {
{{ read("first + ") }}
{{ values("first + ", raise_peak, "") }}
    let high = from_top(key);
    if is_negative_infinity(base) || high > base + 1.0 {
      sum *= exp_below(base, high);
      base = high;
    }
    var run = 0.0;
{{ values("first + ", add_term, "") }}
    sum += run;
    run = 0.0;
{{ values("first + ", caller, "") }}
    more += run;
  }
  key = lanes_top(at.local, key);
  sum = lanes_sum(at.local, sum * exp_below(base, from_top(key)));
{% endmacro %}
{% endif %}

