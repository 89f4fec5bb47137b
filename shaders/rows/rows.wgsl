// rows: the threads of a row. LANES threads share a row, each taking every LANES-th column; ROWS rows share a workgroup.
//   The kernel declares `Params`, which begins with `window: Window`, and `fn row_work(at: RowThread)`. Every thread runs it, also
//   for rows behind the end, since all threads must take part in reductions (reductions.wgsl). The entry point is here, except for
//   linear_cross_entropy, which computes its rows and has an entry point of its own.
//   A kernel that goes along all of its rows' values (along.wgsl) names its `inputs`.
{% if rows is undefined %}
{% set rows = true %}
{% set linear = kernel == "linear_cross_entropy" %}
{% set in_registers = inputs is defined and not linear and (held or pieces or staged) %}
{% set in_pieces = in_registers and pieces %}
{% set is_staged = inputs is defined and not linear and staged %}
{% set by_fours = in_registers and fours and not staged %}
{# Whether a result that is computed from a value may replace it in its register. #}
{% set keeps = in_registers and not in_pieces %}
{% set row_cell = "vec4<f32>" if by_fours or (is_staged and fours) else "f32" %}
{# Hardware multiplies by `inverse`, which is 1 / sum, because division is slow there. #}
{% set over_sum = "* inverse" if in_registers or is_staged else "/ sum" %}
{% set parts = [".x", ".y", ".z", ".w"] if by_fours else [""] %}

{% include "common.wgsl" %}
{% include "rows/reductions.wgsl" %}

override LANES: u32;
override ROWS: u32;
override FAN: u32;
override ROW_THREADS: u32 = LANES * ROWS; // named: naga 30 trips over unnamed array sizes with overrides behind them

// The bound rows of a matrix: all of them, or a run of them.
struct Window {
  rows: u32,
  cols: u32,
  first_row: u32, // the number of the first of them in the matrix
  nan: f32,       // a NaN, which WGSL has no literal for
}

// A thread's row, counted within the window, and its lane of the row.
struct RowThread {
  group: u32,  // the workgroup's number
  row: u32,
  start: u32,  // where the row starts
  cols: u32,   // its columns; none for a row behind the end
  inside: bool, // whether the row exists
  lane: u32,   // the thread's first column
  local: vec2<u32>, // lane and row within the workgroup
}

// The number of columns that a lane adds up before it adds their sum to the row's sum. So the sum of a long row is nearly as exact
// as that of a tree.
const RUN: u32 = 32u;

// Number of columns that all lanes of a row take in one step.
override STEP: u32 = {% if by_fours %}4u * {% endif %}LANES;

// The (first) column of a lane in its jth step.
fn column(at: RowThread, j: u32) -> u32 {
  return at.lane + j * STEP;
}
{% if not linear %}

@group(0) @binding(0) var<uniform> params: Params;

fn row_thread(group: u32, local: vec2<u32>) -> RowThread {
  let row = group * ROWS + local.y;
  let inside = row < params.window.rows;
  let cols = select(0u, params.window.cols, inside);
  return RowThread(group, row, row * params.window.cols, cols, inside, {% if by_fours %}4u * {% endif %}local.x, local);
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
  row_work(row_thread(flat(id, count), local.xy));
}
{% endif %}
{% endif %}
