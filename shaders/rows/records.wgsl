// records: the statistics of runs of rows; a workgroup joins those of its rows along a fixed tree.
{% include "rows/rows.wgsl" %}

// The statistics of a run of rows.
struct Record {
  loss: f32,       // sum of weighted losses
  weight: f32,     // sum of weights
  correct: u32,    // rows whose first maximum is the target's
  rows: u32,       // rows counted: all but those of an ignored class
  non_finite: u32, // counted rows whose loss is NaN or infinite
  first_bad: u32,  // the first such row, or NO_ROW
}

const NO_ROW: u32 = 0xffffffffu;

fn join(a: Record, b: Record) -> Record {
  return Record(
    a.loss + b.loss,
    a.weight + b.weight,
    a.correct + b.correct,
    a.rows + b.rows,
    a.non_finite + b.non_finite,
    min(a.first_bad, b.first_bad),
  );
}
{% if records_by_subgroup is defined and records_by_subgroup %}

// In this form the workgroup is one subgroup, and each lane has a row. It needs no barrier, which software drivers take long to
// compile.

// The record of the lane whose number differs in these bits.
fn opposite(record: Record, bits: u32) -> Record {
  return Record(
    subgroupShuffleXor(record.loss, bits),
    subgroupShuffleXor(record.weight, bits),
    subgroupShuffleXor(record.correct, bits),
    subgroupShuffleXor(record.rows, bits),
    subgroupShuffleXor(record.non_finite, bits),
    subgroupShuffleXor(record.first_bad, bits),
  );
}

// Joins the records of all lanes, pair by pair; every lane has the result.
fn group_record(at: RowThread, mine: Record) -> Record {
  var total = mine;
  for (var bits = 1u; bits < ROWS; bits *= 2u) { total = join(total, opposite(total, bits)); }
  return total;
}
{% else %}

var<workgroup> group_records: array<Record, ROWS>;

// Joins the records that the first lane of each row holds; the result is for the workgroup's first thread.
fn group_record(at: RowThread, mine: Record) -> Record {
  if ROWS == 1u { return mine; }
  let local = at.local;
  // Compilers do not know the bound of the loop below, so they do not unroll it.
  let rows = min(ROWS, params.window.rows - at.group * ROWS);
  if local.x == 0u { group_records[local.y] = mine; }
  let heads = max(ROWS / FAN, 1u);
  workgroupBarrier();
  if local.x == 0u && local.y < heads {
    var total = mine;
    for (var i = local.y + heads; i < rows; i += heads) { total = join(total, group_records[i]); }
    group_records[local.y] = total;
  }
  workgroupBarrier();
  var total = group_records[0];
  for (var i = 1u; i < heads; i++) { total = join(total, group_records[i]); }
  return total;
}
{% endif %}
