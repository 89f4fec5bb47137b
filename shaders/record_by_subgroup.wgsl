// record_by_subgroup: a workgroup's record where the workgroup is a subgroup whose lanes have a row each: no barrier, which
// takes software drivers long to compile.

fn of_lane(record: Record, lane: u32) -> Record {
  return Record(
    subgroupShuffle(record.loss, lane),
    subgroupShuffle(record.weight, lane),
    subgroupShuffle(record.correct, lane),
    subgroupShuffle(record.rows, lane),
    subgroupShuffle(record.non_finite, lane),
    subgroupShuffle(record.first_bad, lane),
  );
}

// Joins the records of all lanes, pair by pair; every lane has the result.
fn group_record(at: Place, mine: Record) -> Record {
  var total = mine;
  for (var step = 1u; step < ROWS; step *= 2u) { total = join(total, of_lane(total, at.local.y ^ step)); }
  return total;
}

