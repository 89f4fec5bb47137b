//! Tests of all ops together: the bits are the same on any number of threads, and from operands in any layout.

use ndarray::{Array1, Array2, ArrayView2, s};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

use super::threads::tests::on_threads;
use super::*;
use crate::options::{AdaGradOptions, AdamOptions, MomentumOptions, PenaltyRates, RmsPropOptions};

/// The shape of the inputs. There are more rows than a block holds, and no multiple of it; the columns are a run of a sum and some
/// more.
const SHAPE: (usize, usize) = (701, 143);

fn normal(seed: u64, (rows, cols): (usize, usize)) -> Array2<f32> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, cols), || StandardNormal.sample(&mut rng))
}

/// Everyday rows, with NaN, infinities and masked classes among them.
fn logits() -> Array2<f32> {
    let mut x = normal(1, SHAPE);
    for (r, value) in [(3, f32::NAN), (77, f32::INFINITY), (300, f32::NEG_INFINITY), (700, f32::NAN)] {
        x[[r, r % SHAPE.1]] = value;
    }
    x.row_mut(500).fill(f32::NEG_INFINITY);
    x
}

/// The bits of every output of every op. Those of NaN count as one: Rust leaves its sign to the compiler.
fn everything(x: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>) -> Vec<Vec<u32>> {
    let bits_of = |x: &f32| if x.is_nan() { f32::NAN } else { *x }.to_bits();
    let bits = |array: Array2<f32>| array.iter().map(bits_of).collect::<Vec<_>>();
    let classes: Vec<u32> = (0..x.nrows() as u32).map(|r| r * 31 % x.ncols() as u32).collect();
    let probs = softmax(y);
    let all_targets = [TargetView::Classes(&classes), TargetView::Distributions(probs.view())];
    let mut all = vec![
        bits(matmul(x, y.t())),
        bits(matmul_tn(x, y)),
        bits(matmul_nt(x, y)),
        bits(linear(x, y.t(), x.column(0), true)),
        bits(bias_add(x, y.row(0))),
        bits(column_sum(y)),
        bits(relu(x)),
        bits(relu_mask(x)),
        bits(relu_backward(x, y)),
        bits(softmax(x)),
        bits(log_softmax(x)),
        bits(softmax_backward(probs.view(), y)),
        argmax(x),
    ];
    for targets in all_targets {
        for (smoothing, mean) in [(0.0, true), (0.1, false)] {
            let params = LossParams { weights: None, samples: Some(y.column(0)), ignored: Some(5), smoothing, mean };
            all.push(bits(nll(probs.view(), targets, params, 1e-7)));
            all.push(bits(nll_backward(probs.view(), targets, params, 1e-7)));
        }
        all.push(vec![accuracy(x, targets) as u32]);
        for (smoothing, mean) in [(0.0, true), (0.1, false)] {
            let results = softmax_cross_entropy(
                x,
                targets,
                LossParams { weights: None, samples: None, ignored: Some(5), smoothing, mean },
            );
            all.extend([
                bits(results.losses),
                bits(results.dlogits),
                results.correct.into_iter().map(u32::from).collect(),
            ]);
        }
    }
    let (mut w, mut m, mut v) = (y.to_owned(), y.to_owned(), y.mapv(|y| y * y));
    sgd(w.view_mut(), x.into(), 0.1);
    let moments = Moments { w: w.view_mut(), m: m.view_mut(), v: v.view_mut() };
    adam(moments, x.into(), &AdamOptions::default(), 3);
    let mut squares = v.clone();
    momentum(w.view_mut(), x.into(), m.view_mut(), &MomentumOptions { nesterov: true, ..Default::default() });
    adagrad(w.view_mut(), x.into(), v.view_mut(), &AdaGradOptions::default());
    let penalty = PenaltyRates { l1: 0.1, l2: 0.2 };
    rmsprop(w.view_mut(), Gradient::new(x, 0.5, &penalty), squares.view_mut(), &RmsPropOptions::default());
    all.extend([w, m, v, squares].map(bits));
    all.push(vec![clip_scale::<f32>(&[x, y], 1.0).to_bits(), clip_scale::<f32>(&[y, y], 1.0).to_bits()]);
    all
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (x, y) = (logits(), normal(2, SHAPE));
    let want = everything(x.view(), y.view());
    for threads in [1, 2, 3, 8] {
        let got = on_threads(threads, || everything(x.view(), y.view()));
        for (index, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!(got == want, "output {index} changes with {threads} threads");
        }
    }
}

#[test]
fn any_layout_gives_the_same_bits() {
    let (x, y) = (logits(), normal(2, SHAPE));
    let want = everything(x.view(), y.view());
    // By columns, and every other column of a wider matrix.
    let by_columns = x.t().as_standard_layout().into_owned();
    let mut wider = Array2::zeros((SHAPE.0, 2 * SHAPE.1));
    wider.slice_mut(s![.., ..;2]).assign(&y);
    let got = everything(by_columns.t(), wider.slice(s![.., ..;2]));
    for (index, (got, want)) in got.iter().zip(&want).enumerate() {
        let other = got.iter().zip(want).find(|(got, want)| got != want);
        assert!(other.is_none(), "output {index} changes with the layout: {other:x?}");
    }
}

#[test]
fn products_of_integers_are_exact_however_they_are_cut() {
    // The first five stay whole; the others are cut across rows, columns, and both.
    let whole = [(1, 3, 200), (200, 1, 3), (70, 300, 17), (33, 40, 129), (513, 7, 1)];
    for (m, k, n) in whole.into_iter().chain([(700, 40, 3), (3, 40, 700), (520, 30, 300)]) {
        let integers =
            |rows, cols, step| Array2::from_shape_fn((rows, cols), |(r, c)| ((r * 7 + c * step) % 17) as f32);
        let (a, b) = (integers(m, k, 3), integers(k, n, 5));
        let bias = Array1::from_shape_fn(n, |c| -(c as f32) * 50.0);
        let want = Array2::from_shape_fn((m, n), |(r, c)| (0..k).map(|i| a[[r, i]] * b[[i, c]]).sum::<f32>());
        let rectified = (&want + &bias).mapv(|x| x.max(0.0));
        let mask = Array2::from_shape_fn((m, n), |(r, c)| ((r * 5 + c * 11) % 3) as f32 - 1.0);
        let masked = Array2::from_shape_fn((m, n), |at| if mask[at] > 0.0 { want[at] } else { 0.0 });
        for threads in [1, 2, 5, 16] {
            on_threads(threads, || {
                assert_eq!(matmul(a.view(), b.view()), want);
                assert_eq!(matmul_tn(a.t(), b.view()), want);
                assert_eq!(matmul_nt(a.view(), b.t()), want);
                assert_eq!(linear(a.view(), b.view(), bias.view(), true), rectified);
                assert_eq!(linear_backward(a.view(), b.t(), mask.view()), masked);
                assert!(matmul(a.view(), b.view()).is_standard_layout());
            });
        }
    }
}

/// Results that the kernels sum in ways of their own when they are small, with more terms than one pass adds.
#[test]
fn products_cut_for_threads_keep_their_bits() {
    for (m, n) in [(4096, 1), (1, 4096), (513, 2), (300, 3), (3, 300), (256, 256), (257, 64), (64, 700), (65, 65)] {
        for k in [2, 63, 513, 1100] {
            let (a, b) = (normal(3, (m, k)), normal(4, (k, n)));
            let (turned_a, turned_b) =
                (a.t().as_standard_layout().into_owned(), b.t().as_standard_layout().into_owned());
            let all = || {
                let products = [
                    matmul(a.view(), b.view()),
                    matmul_tn(turned_a.view(), b.view()),
                    matmul_nt(a.view(), turned_b.view()),
                ];
                products.map(|c| c.mapv(f32::to_bits))
            };
            let want = on_threads(1, all);
            for threads in [2, 3, 16, 64] {
                assert!(on_threads(threads, all) == want, "{m} x {k} x {n} on {threads} threads");
            }
        }
    }
}

#[test]
fn a_row_without_softmax_spoils_no_other() {
    let (x, bad) = (logits(), [3, 77, 500, 700]);
    for result in [softmax(x.view()), log_softmax(x.view())] {
        for (r, row) in result.rows().into_iter().enumerate() {
            assert!(row.iter().all(|p| p.is_nan() == bad.contains(&r)), "row {r}");
        }
    }
}
