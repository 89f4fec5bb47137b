// store: what becomes of a product's finished sums, for kernels that declare `Params` with n and these flags, 1 for yes:
//   accumulate: c += what it held, for a later window of k; biased: c += extra, the bias, 1 x n; relu: c = max(c, 0) (linear);
//   masked: c = c where extra, the outputs of a ReLU, m x n, is positive, else 0 (linear_backward).
// Flags, not overrides: a uniform branch costs nothing, a variant more to compile does.
// Four neighbouring sums go to memory at once in the form `fours`, where every row of c begins at a multiple of four words.
// `operands`: storage buffers that the kernel binds before these. `named`: sums are stored without loops.

{% include "elements/values.wgsl" %}
@group(0) @binding({{ operands + 1 }}) var<storage, read> extra: array<Cell>; // bias or outputs; any buffer where there is neither
@group(0) @binding({{ operands + 2 }}) var<storage, read_write> c: array<Cell>;

// The sums that belong to c[at], in column `col`; both counted in values.
fn finish(at: u32, col: u32, sums: Value) {
  var value = sums;
  if params.accumulate == 1u { value += from_cell(c[at]); }
  conclude(at, col, value);
}

// The same once they are whole.
fn conclude(at: u32, col: u32, sums: Value) {
  var value = sums;
  if params.biased == 1u || params.masked == 1u { // one read for both: each takes software drivers time to compile
    let other = from_cell(extra[select(at, col, params.biased == 1u)]);
    value = select(relu_gradient(value, other), value + other, params.biased == 1u);
  }
  if params.relu == 1u { value = relu(value); }
  c[at] = to_cell(value);
}

{% if fours %}
// The sums that belong to columns col .. col + 3 of c, from word `at` on; nothing behind the last column.
fn store(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { finish(at / 4u, col / 4u, sums); }
}

// The same without what becomes of them.
fn put(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { c[at / 4u] = to_cell(sums); }
}

// The same, added to what was put there.
fn add(at: u32, col: u32, sums: vec4<f32>) {
  if col < params.n { c[at / 4u] = to_cell(from_cell(c[at / 4u]) + sums); }
}

// What becomes of those that were put there.
fn store_again(at: u32, col: u32) {
  if col < params.n { conclude(at / 4u, col / 4u, from_cell(c[at / 4u])); }
}

{% elif named %}
// The sums that belong to columns col .. col + 3 of c, from word `at` on; nothing behind the last column. No index is a
// variable: compilers keep what is indexed by one in memory. What lies behind the row's end is the last word again.
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
  put(at, col, value);
}

// The same without what becomes of them.
fn put(at: u32, col: u32, sums: vec4<f32>) {
{% for e in range(4) %}
  if col + {{ e }}u < params.n { c[at + {{ e }}u] = to_cell(sums.{{ "xyzw"[e] }}); }
{% endfor %}
}

{% else %}
// The same one by one; those behind the last column are left out. All loops count from a column that compilers do not know:
// unrolled, they would take software drivers long to compile.
fn store(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { finish(at + i - col, i, sums[i - col]); }
}

fn put(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { c[at + i - col] = to_cell(sums[i - col]); }
}

fn add(at: u32, col: u32, sums: vec4<f32>) {
  for (var i = col; i < min(col + 4u, params.n); i++) { c[at + i - col] = to_cell(from_cell(c[at + i - col]) + sums[i - col]); }
}

fn store_again(at: u32, col: u32) {
  for (var i = col; i < min(col + 4u, params.n); i++) { conclude(at + i - col, i, from_cell(c[at + i - col])); }
}

{% endif %}
