// row_weights: out[r] = weights[targets[r]], 0 for the ignored class: what a weighted mean divides by, row by row
//   targets: a class id a row; weights: those of `cols` classes from first_col on where weighted, else 1; out: rows x 1,
//   `count` elements. Where the weights come in pieces, each piece writes the rows of its classes.
//   Element by element, as elements.wgsl hands them out.

struct Params {
  count: u32,
  first_col: u32,
  cols: u32,
  ignored: u32,
  weighted: u32, // 1 for yes
}

@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  let class_id = targets[i];
  let c = class_id - params.first_col; // wraps where the class lies before the piece
  if c < params.cols && class_id != params.ignored {
    var value = 1.0;
    if params.weighted == 1u { value = weights[c]; }
    out[i] = value;
  } else if params.first_col == 0u {
    out[i] = 0.0;
  }
}
