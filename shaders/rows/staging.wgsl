// staging: loads and stores short rows, one for each thread, through workgroup memory. Neighbouring threads copy neighbouring words
//   to workgroup memory; then each thread reads its own row into registers. Results go back in the same two steps. HELD is the most
//   columns that these rows may have.
{% if is_staged %}

// The workgroup's rows are stored one behind the other, with a word of padding behind every RUN words, so that rows start in
// different banks of workgroup memory.
override ROW_WORDS: u32 = ROWS * HELD;
override ROW_TILE: u32 = ROW_WORDS + ROW_WORDS / RUN;
{% for name in inputs %}
var<workgroup> {{ inputs[name] }}_rows: array<f32, ROW_TILE>;
{% endfor %}
{% set staged_rows = inputs[inputs | first] ~ "_rows" %}

fn padded(word: u32) -> u32 {
  return word + word / RUN;
}

// Number of words in the workgroup's rows.
fn staged_words(at: RowThread) -> u32 {
  let before = min(at.group * ROWS, params.window.rows);
  return min(ROWS, params.window.rows - before) * params.window.cols;
}
{% endif %}
{% macro stage_rows() %}
  let all = staged_words(at);
  let origin = at.group * ROWS * params.window.cols;
{% if fours %}
  // A thread starts all of its reads before it uses the first. Threads behind the window's end (a folded grid may have whole
  // workgroups there) read the last words again.
  let words = params.window.rows * params.window.cols;
{% for k in range(HELD // 4) %}
  let i_{{ k }} = 4u * (at.local.y + {{ k }}u * ROW_THREADS);
{% for name in inputs %}
  let brought_{{ name }}_{{ k }} = {{ inputs[name] }}[min(origin + i_{{ k }}, words - 4u) / 4u];
{% endfor %}
{% endfor %}
{% for k in range(HELD // 4) %}
  if i_{{ k }} < all {
    let at_i = padded(i_{{ k }});
{% for name in inputs %}
{% for part in ["x", "y", "z", "w"] %}
    {{ inputs[name] }}_rows[at_i + {{ loop.index0 }}u] = brought_{{ name }}_{{ k }}.{{ part }};
{% endfor %}
{% endfor %}
  }
{% endfor %}
{% else %}
  for (var i = at.local.y; i < all; i += ROW_THREADS) {
{% for name in inputs %}
    {{ inputs[name] }}_rows[padded(i)] = {{ inputs[name] }}[origin + i];
{% endfor %}
  }
{% endif %}
  workgroupBarrier();
{% for j in range(HELD) %}
{% for name in inputs %}
  var {{ name }}_{{ j }} = 0.0;
{% endfor %}
  if {{ j }}u < params.window.cols {
    let word = padded(at.local.y * params.window.cols + {{ j }}u);
{% for name in inputs %}
    {{ name }}_{{ j }} = {{ inputs[name] }}_rows[word];
{% endfor %}
  }
{% endfor %}
{% endmacro %}
{% macro store_staged(output) %}
  workgroupBarrier();
{% if fours %}
{% for k in range(HELD // 4) %}
  if i_{{ k }} < all {
    let at_i = padded(i_{{ k }});
    let low = vec2({{ staged_rows }}[at_i], {{ staged_rows }}[at_i + 1u]);
    {{ output }}[(origin + i_{{ k }}) / 4u] = vec4(low, {{ staged_rows }}[at_i + 2u], {{ staged_rows }}[at_i + 3u]);
  }
{% endfor %}
{% else %}
  for (var i = at.local.y; i < all; i += ROW_THREADS) { {{ output }}[origin + i] = {{ staged_rows }}[padded(i)]; }
{% endif %}
{% endmacro %}
