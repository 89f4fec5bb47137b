// sgd: w -= learning_rate * dw, in place
{% include "updates/updates.wgsl" %}

fn element(i: u32) {
  w[i] = to_cell(from_cell(w[i]) - params.learning_rate * gradient(i));
}
