// sum_slices: c = Σ_s partial[s], the slices of a product, then the epilogue (store.wgsl).
//   partials: slices x (m x n), `stride` values apart; c: m x n, row-major. A thread owns values, one by one or by fours
//   (elements.wgsl), and adds up their slices in order.

{% set operands = 1 %}
{% set named = true %}
{% include "products/store.wgsl" %}
{% include "elements/elements.wgsl" %}
// Counted in values.
struct Params {
  count: u32, // m n
  n: u32,
  slices: u32,
  stride: u32,
  biased: u32,
  relu: u32,
  masked: u32,
  accumulate: u32,
}

@group(0) @binding(1) var<storage, read> partials: array<Cell>;

fn element(i: u32) {
  var sums = from_cell(partials[i]);
  for (var s = 1u; s < params.slices; s++) { sums += from_cell(partials[s * params.stride + i]); }
  store_value(i, i % params.n, sums);
}
