// group_sum: what a workgroup's threads hold, added up along a fixed tree: the first of every FAN values gathers its FAN,
// then the first thread what those hold.

override THREADS: u32;
override FAN: u32;

var<workgroup> group_values: array<f32, THREADS>;

// The sum, for the workgroup's first thread. Every thread must take part.
fn group_sum(thread: u32, mine: f32) -> f32 {
  let heads = max(THREADS / FAN, 1u);
  group_values[thread] = mine;
  workgroupBarrier();
  if thread < heads {
    var sum = mine;
    for (var i = thread + heads; i < THREADS; i += heads) { sum += group_values[i]; }
    group_values[thread] = sum;
  }
  workgroupBarrier();
  var sum = group_values[0];
  for (var i = 1u; i < heads; i++) { sum += group_values[i]; }
  return sum;
}

