// adagrad: squares += dw^2;  w -= learning_rate * dw / (sqrt(squares) + epsilon)
//   squares: `count` values, in place. Source: Duchi et al., 2011.
{% include "updates/updates.wgsl" %}

@group(0) @binding(4) var<storage, read_write> squares: array<Cell>;

fn element(i: u32) {
  let slope = gradient(i);
  let square = from_cell(squares[i]) + slope * slope;
  squares[i] = to_cell(square);
  w[i] = to_cell(from_cell(w[i]) - params.learning_rate * slope / (sqrt(square) + params.epsilon));
}
