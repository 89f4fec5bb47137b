// sgd: w -= learning_rate * dw, in place
{% include "common.wgsl" %}
{% if fours %}{% include "elements/by_four.wgsl" %}{% else %}{% include "elements/by_one.wgsl" %}{% endif %}
{% if longs %}{% include "elements/longs.wgsl" %}{% include "elements/cells_by_long.wgsl" %}{% else %}{% include "elements/cells.wgsl" %}{% endif %}
{% include "elements/values.wgsl" %}
{% include "elements/elements.wgsl" %}
{% include "updates/segments.wgsl" %}
{% include "updates/updates.wgsl" %}

fn element(i: u32) {
  w[i] = closed(opened(w[i]) - params.learning_rate * gradient(i));
}
