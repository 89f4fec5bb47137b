// record: what a run of rows adds up to, joined along a fixed tree.

struct Record {
  loss: f32,       // sum of weighted losses
  weight: f32,     // sum of weights
  correct: u32,    // rows whose first maximum is the target's
  rows: u32,       // rows counted: all but those of an ignored class
  non_finite: u32, // counted rows whose loss is NaN or infinite
  first_bad: u32,  // the first of them, or NO_ROW
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

