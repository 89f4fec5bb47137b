// items: a row's values, for kernels that go over their rows several times. The kernel declares `alias Item`, and
//   `fn item(at: Place, c: u32) -> Item`, which reads column c.
// In the form `held` a lane reads each of its values once and keeps it, in variables with names of their own: up to HELD, a
// constant that the host puts in front. Longer rows are streamed: read whenever they are wanted.
// `items.hold()` reads; a call block of `items.each()` writes its body out for each of the lane's values: x is the value of
// column(at, j).

{% macro hold() %}
{% if held %}
  {% for i in range(HELD) %}
  var held{{ i }}: Item;
  if column(at, {{ i }}u) < at.cols { held{{ i }} = item(at, column(at, {{ i }}u)); }
  {% endfor %}
{% endif %}
{% endmacro %}

{% macro each() %}
{% if held %}
  {% for i in range(HELD) %}
  if column(at, {{ i }}u) < at.cols {
    {{ caller(i ~ "u", "held" ~ i) }}
  }
  {% endfor %}
{% else %}
  for (var j = 0u; j < steps(at); j++) {
    let x = item(at, column(at, j));
    {{ caller("j", "x") }}
  }
{% endif %}
{% endmacro %}

{# The same for sums, which a lane adds up in runs of RUN columns: a long row's stays nearly as exact as a tree's. `begin` and `end`
   are what comes before and behind a run. #}
{% macro each_in_runs(begin, end) %}
{% if held %}
  {
    {{ begin }}
    {% for i in range(HELD) %}
    if column(at, {{ i }}u) < at.cols {
      {{ caller(i ~ "u", "held" ~ i) }}
    }
    {% endfor %}
    {{ end }}
  }
{% else %}
  for (var first = 0u; first < steps(at); first += RUN) {
    {{ begin }}
    for (var j = first; j < min(first + RUN, steps(at)); j++) {
      let x = item(at, column(at, j));
      {{ caller("j", "x") }}
    }
    {{ end }}
  }
{% endif %}
{% endmacro %}
