// store: applies the epilogue to a product's finished sums and stores them. `Params` of the kernel has n and these flags, 1 for yes:
//   accumulate: sums += the content of c, for a later window of k;
//   biased: sums += extra, the bias, 1 x n; relu: sums = max(sums, 0) (linear);
//   masked: the ReLU's mask of the backward pass (linear_backward). extra holds the outputs of a ReLU, m x n. Sums stay where it is
//   positive, and become 0 elsewhere.
// These are flags, not overrides: a uniform branch costs nothing, but one more variant would have to be compiled.
// The form `fours` stores four neighbouring sums at once; every row of c must begin at a multiple of four words.
// `operands`: the number of storage buffers that the kernel binds before these. `named`: sums are stored without loops.

{% include "elements/values.wgsl" %}
@group(0) @binding({{ operands + 1 }}) var<storage, read> extra: array<Cell>; // bias or outputs; any buffer where there is neither
@group(0) @binding({{ operands + 2 }}) var<storage, read_write> c: array<Cell>;

// Stores one value of finished sums, c[at] in column `col`, both counted in values, after the epilogue.
fn store_value(at: u32, col: u32, sums: Value) {
  var value = sums;
  if params.accumulate == 1u { value += from_cell(c[at]); }
  epilogue(at, col, value);
}

// Applies the epilogue, without `accumulate`, to a value of finished sums, and stores it.
fn epilogue(at: u32, col: u32, sums: Value) {
  var value = sums;
  if params.biased == 1u || params.masked == 1u { // one read for both: each takes software drivers time to compile
    let other = from_cell(extra[select(at, col, params.biased == 1u)]);
    value = select(relu_gradient(value, other), value + other, params.biased == 1u);
  }
  if params.relu == 1u { value = relu(value); }
  c[at] = to_cell(value);
}

{% if fours %}
// Stores the finished sums of columns col .. col + 3 of c, from word `at` on, after the epilogue; nothing behind the last column.
fn store(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { store_value(at / 4u, col / 4u, sums); }
}

// Stores such sums without the epilogue.
fn store_bare(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { c[at / 4u] = to_cell(sums); }
}

// Adds such sums to the stored ones, without the epilogue.
fn add_bare(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { c[at / 4u] = to_cell(from_cell(c[at / 4u]) + sums); }
}

// Applies the epilogue to sums that were stored there.
fn apply_epilogue(at: u32, col: u32) {
  if col < params.n { epilogue(at / 4u, col / 4u, from_cell(c[at / 4u])); }
}

{% elif named %}
// Stores the finished sums of columns col .. col + 3 of c, from word `at` on, after the epilogue; nothing behind the last column.
// No index is a variable, because compilers keep arrays with variable indices in memory. Behind the row's end the last word is read
// again.
fn store(at: u32, col: u32, sums: vec4<f32>) {
  if col >= params.n { return; }
  let near = min(vec4(0u, 1u, 2u, 3u), vec4(params.n - 1u - col));
  var value = sums;
  if params.accumulate == 1u { value += vec4({% for e in "xyzw" %}from_cell(c[at + near.{{ e }}]){{ "" if loop.last else ", " }}{% endfor %}); }
  if params.biased == 1u || params.masked == 1u {
    let places = vec4(select(at, col, params.biased == 1u)) + near;
    let other = vec4({% for e in "xyzw" %}from_cell(extra[places.{{ e }}]){{ "" if loop.last else ", " }}{% endfor %});
    let kept = vec4({% for e in "xyzw" %}relu_gradient(value.{{ e }}, other.{{ e }}){{ "" if loop.last else ", " }}{% endfor %});
    value = select(kept, value + other, params.biased == 1u);
  }
  if params.relu == 1u { value = vec4({% for e in "xyzw" %}relu(value.{{ e }}){{ "" if loop.last else ", " }}{% endfor %}); }
  store_bare(at, col, value);
}

// Stores such sums without the epilogue.
fn store_bare(at: u32, col: u32, sums: vec4<f32>) {
{% for e in range(4) %}
  if col + {{ e }}u < params.n { c[at + {{ e }}u] = to_cell(sums.{{ "xyzw"[e] }}); }
{% endfor %}
}

{% else %}
// The functions for software drivers store the sums one by one, and none behind the last column. All loops begin at a column that
// compilers do not know, so that they are not unrolled: that would take these drivers long to compile.
fn store(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { store_value(at + i - col, i, sums[i - col]); }
}

fn store_bare(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { c[at + i - col] = to_cell(sums[i - col]); }
}

fn add_bare(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { c[at + i - col] = to_cell(from_cell(c[at + i - col]) + sums[i - col]); }
}

fn apply_epilogue(at: u32, col: u32) {
  for (var i = col; i < min(col + 4u, params.n); i++) { epilogue(at + i - col, i, from_cell(c[at + i - col])); }
}

{% endif %}
