// record_by_memory: a workgroup's record through workgroup memory.

var<workgroup> group_records: array<Record, ROWS>;

// Joins the records that the first lane of each row holds; the result is for the workgroup's first thread.
fn group_record(at: Place, mine: Record) -> Record {
  let local = at.local;
  // As many rows as there are: a bound that compilers do not know, or they would unroll the loop below.
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

