// streaming: the maximum of a long row and the sum of exponentials relative to it, in one pass over the row (the form
//   `pieces` of along.wgsl).
{% include "rows/along.wgsl" %}
{% macro raise_key() %}
        key = max(key, top_key(x));
{% endmacro %}
{% macro add_term() %}
        run += exp_below(x, base);
{% endmacro %}
{% macro maximum_and_sum() %}
  // A lane adds up exp(x - base). When the maximum is more than 1 above the base, the base becomes the maximum and the sum is
  // rescaled. This happens seldom, so it adds little rounding error; and no term is larger than e.
  var key = 0u;
  var base = from_key(~(SIGN_BIT | INFINITY_BITS)); // -inf
  var sum = 0.0;
  var more = 0.0;
  for (var first = 0u; first < steps(at); first += HELD) {
{{ read("first + ") }}
{{ values("first + ", raise_key, "") }}
    let high = from_top_key(key);
    if is_negative_infinity(base) || high > base + 1.0 {
      sum *= exp_below(base, high);
      base = high;
    }
    var run = 0.0;
{{ values("first + ", add_term, "") }}
    sum += run;
    run = 0.0;
{{ values("first + ", caller, "") }}
    more += run;
  }
  key = lanes_top_key(at.local, key);
  sum = lanes_sum(at.local, sum * exp_below(base, from_top_key(key)));
{% endmacro %}
