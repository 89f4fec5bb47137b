  m: u32,
  n: u32,
  k: u32,
  slice: u32,  // length of a slice of k
  down: u32,   // workgroups down c
  across: u32, // workgroups across c
  slices: u32,
  stride: u32, // words from one slice's product to the next
  sums_at: u32, // where b's column sums go
  biased: u32, // 1 for yes, as the next ones
  relu: u32,
  masked: u32,
  accumulate: u32,
