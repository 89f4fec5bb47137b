// row_weights: out[r] = weights[targets[r]], 0 for the ignored class: what a weighted mean divides by, row by row
//   targets: a class id a row; weights: 1 x classes where weighted, else 1; out: rows x 1, `count` elements.
//   Element by element, as elements.wgsl hands them out.

struct Params {
  count: u32,
  classes: u32,
  ignored: u32,
  weighted: u32, // 1 for yes
}

@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  let class_id = targets[i];
  var value = 1.0;
  if class_id == params.ignored || class_id >= params.classes {
    value = 0.0;
  } else if params.weighted == 1u {
    value = weights[class_id];
  }
  out[i] = value;
}
