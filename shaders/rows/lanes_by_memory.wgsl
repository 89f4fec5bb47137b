// lanes_by_memory: reductions over the lanes of a row, through workgroup memory: the first of every FAN values gathers its FAN,
// then everyone gathers what those hold. Flat trees, because each barrier costs a software driver much.

var<workgroup> row_values: array<f32, ROW_THREADS>;
var<workgroup> row_peaks: array<Peak, ROW_THREADS>;

fn lanes_peak(local: vec2<u32>, mine: Peak) -> Peak {
  if LANES == 1u { return mine; }
  let start = local.y * LANES;
  let heads = max(LANES / FAN, 1u);
  workgroupBarrier(); // the last result has been read
  row_peaks[start + local.x] = mine;
  workgroupBarrier();
  if local.x < heads {
    var peak = mine;
    for (var i = heads; i < LANES; i += heads) { peak = higher(peak, row_peaks[start + local.x + i]); }
    row_peaks[start + local.x] = peak;
  }
  workgroupBarrier();
  var peak = row_peaks[start];
  for (var i = 1u; i < heads; i++) { peak = higher(peak, row_peaks[start + i]); }
  return peak;
}

fn lanes_sum(local: vec2<u32>, mine: f32) -> f32 {
  if LANES == 1u { return mine; }
  let start = local.y * LANES;
  let heads = max(LANES / FAN, 1u);
  workgroupBarrier(); // the last result has been read
  row_values[start + local.x] = mine;
  workgroupBarrier();
  if local.x < heads {
    var sum = mine;
    for (var i = heads; i < LANES; i += heads) { sum += row_values[start + local.x + i]; }
    row_values[start + local.x] = sum;
  }
  workgroupBarrier();
  var sum = row_values[start];
  for (var i = 1u; i < heads; i++) { sum += row_values[start + i]; }
  return sum;
}

