// tile: the product of a BM x BN tile of a b, for kernels that declare `Params` with m, n and k.
//   a: m x k, or k x m with TRANSPOSE_A; b: k x n, or n x k with TRANSPOSE_B, row-major. VECTORS_A, VECTORS_B: the rows of a, or of
//   b, in memory are multiples of four words. ALIGNED: the tiles cover m, n and every slice of k exactly, so no index is guarded.
//   A workgroup goes along k in steps of BK. Workgroup memory holds BK steps of both factors, k-major and in groups of four, so that
//   threads read vectors. A factor with the other layout is transposed in registers, four by four. The values of the next step are
//   loaded while the current ones are multiplied.
//   A thread owns TM x TN sums: s0_0 are its first row's first four columns, s0_1 the next four. From one of its groups of four
//   rows to the next there are as many groups as the tile has threads down; likewise across for columns. So neighbouring threads
//   read neighbouring groups. 32 neighbouring threads are 4 down and 8 across if the tile allows it: then they read the fewest
//   groups.
// A kernel puts `tile.declarations()` at its top and `tile.multiply()` into its main, which then has the sums under their names.
// Each value that a thread keeps is a variable of its own, because compilers keep arrays with variable indices in memory.

{% set down = BM // TM %}
{% set across = BN // TN %}
{% set threads = down * across %}
{% set in_warps = down % 4 == 0 and across % 8 == 0 %}
{# How each factor is staged: its letter, the groups of four along the tile, whether it is turned, its length beside k, whether
   its rows are read as vectors, and where the tile begins. #}
{% set factors = [
  {"name": "a", "groups": BM // 4, "turned": not TRANSPOSE_A, "length": "params.m", "vectors": VECTORS_A, "first": "row0"},
  {"name": "b", "groups": BN // 4, "turned": TRANSPOSE_B, "length": "params.n", "vectors": VECTORS_B, "first": "col0"},
] %}

{# Where the groups of step kk begin in workgroup memory. Turned groups are written by threads that are neighbours along k: two groups
   more every four steps keep what eight of them write at once in different banks. #}
{% macro first_group(f, kk) %}{{ "(" ~ kk ~ ") * " ~ f.groups ~ "u + (" ~ kk ~ ") / 4u * 2u" if f.turned else "(" ~ kk ~ ") * " ~ f.groups ~ "u" }}{% endmacro %}

{# Units that are staged in a step of k, blocks of four by four or groups; and rounds in which all threads together stage them. #}
{% macro units(f) %}{{ BK * f.groups // 4 if f.turned else BK * f.groups }}{% endmacro %}
{% macro rounds(f) %}{{ (units(f)|int + threads - 1) // threads }}{% endmacro %}

{% macro declarations() %}
const THREADS: u32 = {{ threads }}u;

@group(0) @binding(0) var<uniform> params: Params;
{% for f in factors %}
@group(0) @binding({{ loop.index }}) var<storage, read> {{ f.name }}: array<{{ "vec4<f32>" if f.vectors else "f32" }}>;
{% endfor %}
{% for f in factors %}

// Step kk's groups of four begin at {{ first_group(f, "kk") }}.
const {{ f.name|upper }}_GROUPS: u32 = {{ BK * f.groups + (BK // 2 if f.turned else 0) }}u;
var<workgroup> {{ f.name }}_tile: array<vec4<f32>, {{ f.name|upper }}_GROUPS>;

// Four neighbours of {{ f.name }}, from element `at` on. Behind the end the last element is read again, since a branch would keep
// the loads from being started early.
fn {{ f.name }}_four(at: u32) -> vec4<f32> {
  {% if ALIGNED %}
  return {{ f.name }}[at];
  {% elif f.vectors %}
  return {{ f.name }}[min(at, {{ f.length }} * params.k / 4u - 1u)];
  {% else %}
  let places = min(vec4(at) + vec4(0u, 1u, 2u, 3u), vec4({{ f.length }} * params.k - 1u));
  return vec4({% for e in "xyzw" %}{{ f.name }}[places.{{ e }}]{{ "" if loop.last else ", " }}{% endfor %});
  {% endif %}
}
{% endfor %}
{% endmacro %}

{# Distance from one round to the next: rows of a factor that is turned, else steps. #}
{% macro apart(f) %}{{ threads // (BK // 4) * 4 if f.turned else threads // f.groups }}{% endmacro %}

{# Where a thread's share of the first step lies: the first element, and its step; later rounds are so many rows of memory on. #}
{% macro places() %}
{% for f in factors %}
{% set name = f.name %}
  let {{ name }}_width = {{ "params.k" if f.turned else f.length }}{{ " / 4u" if f.vectors }}; // elements of a row
  {# Where there are fewer units than threads, several threads read one unit: in a branch, compilers may wait for its loads. #}
  {% set reader = "thread % " ~ units(f) ~ "u" if units(f)|int < threads else "thread" %}
  {% if f.turned %}
  let {{ name }}_step = k_begin + thread % {{ BK // 4 }}u * 4u;
  let {{ name }}_at = ({{ f.first }} + {{ reader }} / {{ BK // 4 }}u * 4u) * {{ name }}_width + {{ name }}_step{{ " / 4u" if f.vectors }};
  {% else %}
  let {{ name }}_step = k_begin + {{ reader }} / {{ f.groups }}u;
  let {{ name }}_at = {{ name }}_step * {{ name }}_width + ({{ f.first }} + thread % {{ f.groups }}u * 4u){{ " / 4u" if f.vectors }};
  {% endif %}
{% endfor %}
{% endmacro %}

{# Asks memory for a thread's share of the step from k_begin + `done` on. #}
{% macro load(done) %}
{% for f in factors %}
{% set name = f.name %}
{% for i in range(rounds(f)|int) %}
    {
      {% if f.turned %}
      let at = {{ name }}_at + {{ done }}{{ " / 4u" if f.vectors }};
      {% for e in range(4) %}
      {{ name }}{{ i }}_{{ e }} = {{ name }}_four(at + {{ i * apart(f)|int + e }}u * {{ name }}_width);
      {% endfor %}
      {% else %}
      {{ name }}{{ i }} = {{ name }}_four({{ name }}_at + ({{ done }} + {{ i * apart(f)|int }}u) * {{ name }}_width);
      {% endif %}
    }
{% endfor %}
{% endfor %}
{% endmacro %}

{# Puts the thread's share into workgroup memory; steps behind the slice's end are 0. Rows and columns behind the edges may be
   anything: their sums are not stored. #}
{% macro stage() %}
{% for f in factors %}
{% for i in range(rounds(f)|int) %}
    {
      let unit = thread + {{ i * threads }}u;
      {% if units(f)|int % threads %}
      if unit < {{ units(f) }}u {
      {% endif %}
      {% if f.turned %}
      let at = unit % {{ BK // 4 }}u * {{ 4 * f.groups + 2 }}u + unit / {{ BK // 4 }}u;
      {% for e in range(4) %}
      {% set four %}vec4({% for r in range(4) %}{{ f.name }}{{ i }}_{{ r }}.{{ "xyzw"[e] }}{{ "" if loop.last else ", " }}{% endfor %}){% endset %}
      {{ f.name }}_tile[at + {{ e * f.groups }}u] = {{ four if ALIGNED else "select(vec4(0.0), " ~ four ~ ", done + " ~ f.name ~ "_step + " ~ (0 if f.vectors else e) ~ "u < k_end)" }};
      {% endfor %}
      {% else %}
      {% if not ALIGNED %}
      {{ f.name }}{{ i }} = select(vec4(0.0), {{ f.name }}{{ i }}, done + {{ f.name }}_step + {{ i * apart(f)|int }}u < k_end);
      {% endif %}
      {{ f.name }}_tile[unit] = {{ f.name }}{{ i }};
      {% endif %}
      {% if COLUMN_SUMS and f.name == "b" %}
      column_sum += b{{ i }};
      {% endif %}
      {% if units(f)|int % threads %}
      }
      {% endif %}
    }
{% endfor %}
{% endfor %}
{% endmacro %}

{# Fills the sums from the steps k_begin .. k_end, `length` steps or less; a slice that ends early goes on with zeros. It is a
   parameter or a number, which compilers know to be the same for all threads. A length that follows from the workgroup's number
   would be, too, but one compiler then spills. #}
{% macro multiply(length) %}
  // This thread's place among the {{ down }} x {{ across }} of its workgroup.
  {% if in_warps %}
  let down = thread / 32u / {{ across // 8 }}u * 4u + thread % 32u / {{ 8 }}u;
  let right = thread / 32u % {{ across // 8 }}u * {{ 8 }}u + thread % {{ 8 }}u;
  {% else %}
  let down = thread / {{ across }}u;
  let right = thread % {{ across }}u;
  {% endif %}
  {% for i in range(TM) %}
  {% for j in range(TN // 4) %}
  var s{{ i }}_{{ j }} = vec4(0.0);
  {% endfor %}
  {% endfor %}
  {% if COLUMN_SUMS %}
  var column_sum = vec4(0.0); // of group thread % {{ BN // 4 }} of b's columns, over the rows that this thread stages
  {% endif %}
  {% for f in factors %}
  {% for i in range(rounds(f)|int) %}
  {% for e in range(4 if f.turned else 1) %}
  var {{ f.name }}{{ i }}{{ "_" ~ e if f.turned else "" }} = vec4(0.0);
  {% endfor %}
  {% endfor %}
  {% endfor %}
{{ places() }}
  {
{{ load("0u") }}
  }
  for (var done = 0u; done < {{ length }}; done += BK) {
{{ stage() }}
    workgroupBarrier();
    let next = done + BK;
    if next < {{ length }} {
{{ load("next") }}
    }
    {% if UNROLL < BK %}
    // The loop ends at the last step that exists. Compilers do not know this bound, so they do not unroll the loop, which would
    // take long.
    for (var kk = 0u; kk < min(BK, {{ length }} - done); kk += UNROLL) {
    {% else %}
    {
      let kk = 0u;
    {% endif %}
    {% for u in range(UNROLL) %}
      {
        {% for f in factors %}
        {% set each = down if f.name == "a" else across %}
        {% for i in range((TM if f.name == "a" else TN) // 4) %}
        let {{ f.name }}_{{ i }} = {{ f.name }}_tile[{{ first_group(f, "kk + " ~ u ~ "u") }} + {{ "down" if f.name == "a" else "right" }} + {{ i * each }}u];
        {% endfor %}
        {% endfor %}
        {% for i in range(TM) %}
        {% for j in range(TN // 4) %}
        s{{ i }}_{{ j }} = fma(vec4(a_{{ i // 4 }}.{{ "xyzw"[i % 4] }}), b_{{ j }}, s{{ i }}_{{ j }});
        {% endfor %}
        {% endfor %}
      }
    {% endfor %}
    }
    workgroupBarrier();
  }
{% endmacro %}

{# Where the thread's row i lies in the tile, and its group j of columns begins. #}
{% macro row(i) %}(down + {{ i // 4 * down }}u) * 4u + {{ i % 4 }}u{% endmacro %}
{% macro col(j) %}(right + {{ j * across }}u) * 4u{% endmacro %}
