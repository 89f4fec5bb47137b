// reductions: sums and maxima over the lanes of a row, along fixed trees, so that the same input gives the same bits. All lanes get
//   the result. Every thread of a workgroup must call them, also threads of rows behind the end. The first half uses subgroup
//   operations; the second half works without them, through workgroup memory.
{% include "rows/maximum.wgsl" %}

// A sum, and the first of some columns: two reductions at once.
struct SumAndColumn {
  sum: f32,
  col: u32,
}

fn add_and_first(a: SumAndColumn, b: SumAndColumn) -> SumAndColumn {
  return SumAndColumn(a.sum + b.sum, min(a.col, b.col));
}

const NO_COL: u32 = 0xffffffffu;

fn larger_key(a: u32, b: u32) -> u32 {
  return max(a, b);
}

fn add(a: f32, b: f32) -> f32 {
  return a + b;
}
{# The reductions: by name, the type, what joins two, and what changes nothing. #}
{% set reductions = [
  ("maximum", "RowMaximum", "higher", "RowMaximum(0u, NO_COL)"), ("top_key", "u32", "larger_key", "0u"), ("sum", "f32", "add", "0.0"),
  ("sum_and_column", "SumAndColumn", "add_and_first", "SumAndColumn(0.0, NO_COL)")
] %}
{% for name, type, join, nothing in reductions %}

var<workgroup> row_{{ name }}s: array<{{ type }}, ROW_THREADS>;
{% endfor %}
{% if subgroups and not linear %}

// Reductions over the lanes of a row that has a workgroup to itself (ROWS is 1), with subgroup operations. Each subgroup reduces the
// values of its lanes; then every lane joins the results of all subgroups.

// A thread's number in its subgroup, the subgroup's number, how many there are, and their size; the entry point sets it.
struct Subgroup {
  lane: u32,
  number: u32,
  count: u32,
  size: u32,
}

var<private> subgroup: Subgroup;

fn subgroup_maximum(mine: RowMaximum) -> RowMaximum {
  let key = subgroupMax(mine.key);
  return RowMaximum(key, subgroupMin(select(NO_COL, mine.col, mine.key == key)));
}

fn subgroup_sum_and_column(mine: SumAndColumn) -> SumAndColumn {
  return SumAndColumn(subgroupAdd(mine.sum), subgroupMin(mine.col));
}

fn subgroup_top_key(mine: u32) -> u32 {
  return subgroupMax(mine);
}

fn subgroup_sum(mine: f32) -> f32 {
  return subgroupAdd(mine);
}
{% for name, type, join, nothing in reductions %}

{% if loop.first %}
// Lanes may leave the loops before a reduction at different times, and Vulkan does not promise that they continue together. The
// first barrier brings them together. After it, all lanes have also read the result of the last reduction. If there are few
// subgroups, each lane joins their results by itself; if there are many, each subgroup reduces the results once more.
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
      // Without a branch, so that the lanes stay together.
      let other = row_{{ name }}s[min(i, subgroup.count - 1u)];
{% if type == "RowMaximum" %}
      all = higher(all, RowMaximum(select(0u, other.key, i < subgroup.count), other.col));
{% elif type == "SumAndColumn" %}
      all = add_and_first(all, SumAndColumn(select(0.0, other.sum, i < subgroup.count), other.col)); // columns behind the end are the last subgroup's
{% else %}
      all = {{ join }}(all, select({{ nothing }}, other, i < subgroup.count));
{% endif %}
    }
    // This stands before the branch, since browsers accept subgroup operations only where they can prove that all lanes take part.
    let joined = subgroup_{{ name }}(all);
    // A driver may run fewer threads in a subgroup than its size says. Then some lanes were missing from this result.
    if subgroup.count * subgroup.size == LANES { return joined; }
  }
  var all = row_{{ name }}s[0];
  for (var i = 1u; i < subgroup.count; i++) { all = {{ join }}(all, row_{{ name }}s[i]); }
  return all;
}
{% endfor %}

const MANY: u32 = 32u; // subgroups are many where a row has at least MANY times FAN lanes
{% else %}
{% for name, type, join, nothing in reductions %}

{% if loop.first %}
// Reductions over the lanes of a row through workgroup memory, without subgroup operations. If there are more than FAN lanes, LANES
// / FAN of them join the values of FAN lanes each; then every lane joins these results. The trees are flat, because a barrier is
// slow on software drivers.
{% endif %}
fn lanes_{{ name }}(local: vec2<u32>, mine: {{ type }}) -> {{ type }} {
  if LANES == 1u { return mine; }
  let start = local.y * LANES;
  let heads = select(LANES, LANES / FAN, LANES > FAN);
  workgroupBarrier(); // all have read the last reduction's result
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
