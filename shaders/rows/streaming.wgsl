// streaming: the maximum of a long row, and the sum of exponentials below it, while the row is read once (along.wgsl, pieces).
{% include "rows/along.wgsl" %}
{% macro raise_key() %}
        key = max(key, top_key(x));
{% endmacro %}
{% macro add_term() %}
        run += exp_below(x, base);
{% endmacro %}
{% macro maximum_and_sum() %}
  // A lane's sum is that of exp(x - base). Its base follows the maximum once that is further than 1 above: seldom, so
  // that hardly a rounding error comes of it, and no term is more than e.
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
