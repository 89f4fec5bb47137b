// along: macros for kernels that go along all values of their rows. Each macro takes a body of WGSL for one value.
//   The kernel sets `inputs`: the names of the values in a body, each with its buffer. The form says where values come from:
//     as declared  from memory, each time they are used: the fastest way on software drivers
//     staged       short rows, one a thread, through workgroup memory (staging.wgsl)
//     held         from registers: a lane reads HELD values once, into variables of their own, because compilers keep arrays
//                  in memory
//     pieces       long rows, piece by piece through such registers
//   The host defines the constant HELD. By fours, a lane takes four neighbouring columns at a time, which are one vec4.
{% include "rows/rows.wgsl" %}
{% if not linear %}
{% for name in inputs %}

// The value in column c.
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

// The index of the values of a lane's jth step. If the row has no such step, it is an index that may be read all the same.
fn cell(at: RowThread, j: u32) -> u32 {
  return min(at.start + column(at, j), params.window.rows * params.window.cols - 1u){% if by_fours %} / 4u{% endif %};
}
{% endif %}

// Number of steps along the row in which the lane has columns.
fn steps(at: RowThread) -> u32 {
  return (at.cols + STEP - 1u - at.lane) / STEP;
}
{% include "rows/staging.wgsl" %}
{#
  The macros' bodies see the column c, and x, or whatever the names of the inputs are:
    load_values()               comes first: reads the values to where the form keeps them
    each_value()                runs the body for each value
    sum_values(sum, type)       runs the body for each value, which adds to `run`; runs add up to `sum`. Where the form
                                `keeps` values, the body may define `kept`, which replaces the value of the input `keep`
    store_results(output)       runs the body for each value, which defines `result`
    store_results(output, sum)  in pieces, the body may add to `run`, too; runs add up to `sum`
    maximum_and_sum()           (streaming.wgsl) in pieces: all lanes get `key`, that of the maximum, and `sum`, that of
                                exp(x - maximum); the body may add to `run`, and runs add up to the lane's `more`
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
  // The second pass goes backwards, since a cache is likely to hold the values that were read last.
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
