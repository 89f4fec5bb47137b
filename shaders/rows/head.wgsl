// head: a row of softmax_cross_entropy.wgsl, whose formulas it follows, and the workgroup's record.
// The kernel declares `Params` with `contract`, the outputs dlogits, losses and records, and where a row's logits, the
// weights (contract.wgsl) and the gradient's scale come from: item (items.wgsl) and gradient_scale.

{% import "rows/items.wgsl" as items %}

// Whether a row's mass lies on more than its class: distributions, and smoothed ids.
override SPREAD: bool;

alias Item = f32;

fn mass(at: Place, class_id: u32, c: u32) -> f32 {
  return class_mass(class_id, at.start, c, 0u);
}

// What the mass q of a class with logit x adds to the loss, without ln(sum): nothing where it is 0, however far x is away.
fn cost(q: f32, x: f32, top: f32) -> f32 {
  if q == 0.0 { return 0.0; }
  return q * select(top - x, bitcast<f32>(INFINITY_BITS | (bitcast<u32>(x) & ~SIGN_BIT)), is_negative_infinity(x));
}

fn row_work(at: Place) {
  let window = params.window;
{{ items.hold() }}
  var peak = Peak(0u, 0u);
{% call(j, x) items.each() %}
    peak = higher(peak, Peak(order_key({{ x }}), column(at, {{ j }})));
{% endcall %}
  peak = lanes_peak(at.local, peak);
  let top = from_key(peak.key);
  let class_id = row_class(at);
  let in_range = class_id < window.cols;
  let ignored = is_ignored(class_id, window.cols);
  let bad = is_bad(peak) || !in_range;
  var own_weight = 0.0; // none behind the end
  if at.inside { own_weight = row_weight(at.row); }

  // Every term of the loss is at least 0: (m - x[c]) and ln(sum) are, so nothing cancels.
  var sum = 0.0;
  var mass_sum = 0.0;
  var below = 0.0;
{# A run of sum, mass_sum and below. #}
{% call(j, x) items.each_in_runs("var run = vec3(0.0);", "sum += run.x; mass_sum += run.y; below += run.z;") %}
      run.x += exp_below({{ x }}, top);
      if SPREAD {
        let q = own_weight * mass(at, class_id, column(at, {{ j }}));
        run.y += q;
        run.z += cost(q, {{ x }}, top);
      }
{% endcall %}
  if !SPREAD {
    if at.lane == 0u && class_id < at.cols {
      mass_sum = own_weight * weight(class_id);
      below = cost(mass_sum, item(at, class_id), top);
    }
  }
  sum = lanes_sum(at.local, sum);
  mass_sum = lanes_sum(at.local, mass_sum);
  below = lanes_sum(at.local, below);

  let scale = gradient_scale();
{% call(j, x) items.each() %}
    {
      let c = column(at, {{ j }});
      let p = exp_below({{ x }}, top) / sum;
      var q = select(0.0, mass_sum, c == class_id);
      if SPREAD { q = own_weight * mass(at, class_id, c); }
      let slope = (p * mass_sum - q) * scale;
      dlogits[at.start + c] = select(select(slope, window.nan, bad), 0.0, ignored);
    }
{% endcall %}

  let loss = select(select(below + mass_sum * log(sum), window.nan, bad), 0.0, ignored);
  if at.inside && at.lane == 0u { losses[at.row] = loss; }

  let counted = at.inside && !ignored;
  let finite = (bitcast<u32>(loss) & ~SIGN_BIT) < INFINITY_BITS;
  var share = 1.0; // of the row in a mean
  if !DISTRIBUTIONS {
    share = 0.0;
    if class_id < at.cols { share = weight(class_id); }
  }
  let total = group_record(at, Record(
    select(0.0, loss, counted),
    select(0.0, own_weight * share, counted),
    u32(counted && !bad && peak.col == class_id),
    u32(counted),
    u32(counted && !finite),
    select(NO_ROW, window.first_row + at.row, counted && !finite),
  ));
  if at.inside && at.lane == 0u && at.local.y == 0u { records[at.group] = total; }
}
