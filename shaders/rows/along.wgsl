// along: what a kernel does along all values of its rows, by macros that take a body of WGSL.
//   The kernel names its `inputs`, by what a value of theirs is called. Where the values come from is the form's:
//     as declared  from memory, whenever they are wanted: so software drivers like it
//     staged       short rows, one a thread, by way of workgroup memory (staging.wgsl)
//     held         from registers, HELD a lane, read once: variables with names, because compilers keep arrays in
//                  memory
//     pieces       long rows: through such registers piece by piece
//   HELD is a constant that the host puts in front. By fours, a lane takes four columns at a time, which lie in one cell of
//   memory.
{% include "rows/rows.wgsl" %}

// Columns that a lane adds up by themselves: a long row's sum stays nearly as exact as a tree's.
const RUN: u32 = 32u;
{% if not linear %}
{% for name in inputs %}

// One value, wherever it is wanted.
fn {{ name }}_of(at: RowThread, c: u32) -> f32 {
{% if is_staged %}
  return {{ inputs[name] }}_rows[padded(at.local.y * params.window.cols + c)];
{% elif by_fours %}
  let i = at.start + c;
  return {{ inputs[name] }}[i / 4u][i % 4u];
{% else %}
  return {{ inputs[name] }}[at.start + c];
{% endif %}
}
{% endfor %}
{% endif %}
{% if in_registers and not is_staged %}

// Where the values of a lane's jth step are; those of some step of the window where the row has no such step.
fn cell(at: RowThread, j: u32) -> u32 {
  return min(at.start + column(at, j), params.window.rows * params.window.cols - 1u){% if by_fours %} / 4u{% endif %};
}
{% endif %}

// Steps along the row in which the lane has columns.
fn steps(at: RowThread) -> u32 {
  return (at.cols + STEP - 1u - at.lane) / STEP;
}
{% include "rows/staging.wgsl" %}
{#
  What a kernel does along its rows, for a body of WGSL that sees the column c and x, or whatever its inputs are called:
    load_values()              first: brings the values to where the form has them
    each_value()              the body, for each value
    sum_values(sum, type)     the same, where the body adds to `run`: runs join in `sum`. Where the form `keeps` values, the
                        body may say what the input `keep` is from then on, as `kept`
    store_results(output)     the same, where the body says what `result` is
    store_results(output, sum) in pieces the body may add to `run`, too: runs join in `sum`
    maximum_and_sum()      in pieces: the maximum's `key`, and `sum` of exp(x - its value), of all lanes, in one go; the body may add to
                        `run` for each value: runs join in `more`, of the lane
#}
{% macro values(first, body, output, keep="") %}
{% for j in range(HELD) %}
    if column(at, {{ first }}{{ j }}u) < at.cols {
{% if output and by_fours %}
      var {{ output }}_{{ j }} = vec4(0.0);
{% endif %}
{% for part in parts %}
      {
        let c = column(at, {{ first }}{{ j }}u) + {{ loop.index0 }}u;
{% for name in inputs %}
        let {{ name }} = {{ name }}_{{ j }}{{ part }};
{% endfor %}
{{ body() }}
{% if keep %}
        {{ keep }}_{{ j }}{{ part }} = kept;
{% endif %}
{% if output and by_fours %}
        {{ output }}_{{ j }}{{ part }} = result;
{% elif output and is_staged %}
        {{ staged_rows }}[padded(at.local.y * params.window.cols + c)] = result;
{% elif output %}
        {{ output }}[at.start + c] = result;
{% endif %}
      }
{% endfor %}
{% if output and by_fours %}
      {{ output }}[(at.start + column(at, {{ first }}{{ j }}u)) / 4u] = {{ output }}_{{ j }};
{% endif %}
    }
{% endfor %}
{% endmacro %}
{% macro read(first) %}
{% for j in range(HELD) %}
{% for name in inputs %}
    {{ "var" if keeps else "let" }} {{ name }}_{{ j }} = {{ inputs[name] }}[cell(at, {{ first }}{{ j }}u)];
{% endfor %}
{% endfor %}
{% endmacro %}
{% macro here() %}
    let c = column(at, j);
{% for name in inputs %}
    let {{ name }} = {{ name }}_of(at, c);
{% endfor %}
{% endmacro %}
{% macro load_values() %}
{% if is_staged %}
{{ stage_rows() }}
{% elif keeps %}
{{ read("") }}
{% endif %}
{% endmacro %}
{% macro each_value() %}
{% if in_registers and not in_pieces %}
{{ values("", caller, "") }}
{% elif in_registers %}
  for (var first = 0u; first < steps(at); first += HELD) {
{{ read("first + ") }}
{{ values("first + ", caller, "") }}
  }
{% else %}
  for (var j = 0u; j < steps(at); j++) {
{{ here() }}
{{ caller() }}
  }
{% endif %}
{% endmacro %}
{% macro sum_values(sum, type, keep="") %}
{% if in_registers and not in_pieces %}
  var run = {{ type }}();
{{ values("", caller, "", keep) }}
  {{ sum }} = run;
{% elif in_registers %}
  for (var first = 0u; first < steps(at); first += HELD) {
    var run = {{ type }}();
{{ read("first + ") }}
{{ values("first + ", caller, "") }}
    {{ sum }} += run;
  }
{% else %}
  for (var first = 0u; first < steps(at); first += RUN) {
    var run = {{ type }}();
    for (var j = first; j < min(first + RUN, steps(at)); j++) {
{{ here() }}
{{ caller() }}
    }
    {{ sum }} += run;
  }
{% endif %}
{% endmacro %}
{% macro store_results(output, sum="") %}
{% if in_registers and not in_pieces %}
{{ values("", caller, output) }}
{% if is_staged %}
{{ store_staged(output) }}
{% endif %}
{% elif in_registers %}
  // Backwards: what was read last is likely to be in a cache still.
  for (var piece = (steps(at) + HELD - 1u) / HELD; piece > 0u; piece--) {
    let first = (piece - 1u) * HELD;
{% if sum %}
    var run = 0.0;
{% endif %}
{{ read("first + ") }}
{{ values("first + ", caller, output) }}
{% if sum %}
    {{ sum }} += run;
{% endif %}
  }
{% else %}
  for (var j = 0u; j < steps(at); j++) {
{{ here() }}
{{ caller() }}
    {{ output }}[at.start + c] = result;
  }
{% endif %}
{% endmacro %}
