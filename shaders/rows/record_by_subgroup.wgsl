// record_by_subgroup: a workgroup's record where the workgroup is a subgroup whose lanes have a row each: no barrier, which
// takes software drivers long to compile.

// What the lane has whose number differs in these bits.
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
fn group_record(at: Place, mine: Record) -> Record {
  var total = mine;
  for (var bits = 1u; bits < ROWS; bits *= 2u) { total = join(total, opposite(total, bits)); }
  return total;
}

