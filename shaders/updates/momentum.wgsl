// momentum: velocity = decay1 velocity + dw;  w -= learning_rate * velocity, or * (dw + decay1 velocity) after Nesterov
//   velocity: `count` values, in place. Source: Sutskever et al., 2013, as PyTorch writes it.
{% include "updates/updates.wgsl" %}

@group(0) @binding(4) var<storage, read_write> velocity: array<Cell>;

fn element(i: u32) {
  let slope = gradient(i);
  let speed = params.decay1 * from_cell(velocity[i]) + slope;
  velocity[i] = to_cell(speed);
  var direction = speed;
  if params.nesterov != 0u { direction = slope + params.decay1 * speed; }
  w[i] = to_cell(from_cell(w[i]) - params.learning_rate * direction);
}
