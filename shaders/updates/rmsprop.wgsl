// rmsprop: squares = decay2 squares + rest2 dw^2;  w -= learning_rate * dw / (sqrt(squares) + epsilon)
//   squares: `count` values, in place; rest2 = 1 - decay2. Source: Tieleman and Hinton, 2012.
{% include "updates/updates.wgsl" %}

@group(0) @binding(4) var<storage, read_write> squares: array<Cell>;

fn element(i: u32) {
  let slope = gradient(i);
  let square = params.decay2 * from_cell(squares[i]) + params.rest2 * slope * slope;
  squares[i] = to_cell(square);
  w[i] = to_cell(from_cell(w[i]) - params.learning_rate * slope / (sqrt(square) + params.epsilon));
}
