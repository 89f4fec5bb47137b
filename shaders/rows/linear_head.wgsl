// linear_head: what both forms of linear_cross_entropy hand to head.wgsl: parameters, operands behind x and w, and that
// nothing has a weight. They compute the logits, and declare `item`.

struct Params {
  window: Window,
  contract: Contract,
  m: u32, // rows
  n: u32, // classes
  k: u32, // inputs
}

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> targets: array<u32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;
@group(0) @binding(7) var<storage, read_write> records: array<Record>;

fn weight(c: u32) -> f32 {
  return 1.0;
}

fn row_weight(row: u32) -> f32 {
  return 1.0;
}

fn gradient_scale() -> f32 {
  return params.contract.scale;
}

