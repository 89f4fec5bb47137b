// lanes_by_subgroup: reductions over the lanes of a row that has a workgroup to itself (ROWS is 1), with subgroup operations:
// each subgroup gathers what its lanes hold, then everyone gathers what the subgroups hold.

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

