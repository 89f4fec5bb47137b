//! Updates in place, and a small network that learns XOR, on the CPU path.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use ndarray::{ArrayView2, array};
use wgpu_mlp::ops::{self, AdamOptions};
use wgpu_mlp::{Device, Epoch, Error, FitOptions, History, Mlp, Optimizer, Trainer};

use super::layers::{NAN, close, matrix};
use crate::training::blobs;

#[test]
fn updates_in_place_leave_clones_alone() {
    let first = matrix(array![[1.0, 2.0]]);
    let mut second = first.clone();
    ops::sgd(&mut second, &first, 0.5).unwrap(); // the gradient is a clone of the parameter as well
    close(&second, &array![[0.5, 1.0]], 0.0);
    let (mut w, mut m) = (first.clone(), matrix(array![[0.0, 0.0]]));
    let mut v = m.clone();
    ops::adam(&mut w, &first, &mut m, &mut v, &AdamOptions { learning_rate: 0.5, ..Default::default() }, 1).unwrap();
    close(&first, &array![[1.0, 2.0]], 0.0);
    close(&w, &array![[0.5, 1.5]], 1e-6);
    close(&m, &array![[0.1, 0.2]], 1e-7);
    close(&v, &array![[0.001, 0.004]], 1e-8);
    refused!(
        ops::sgd(&mut w, &first, -1.0),
        Error::Option { op: "sgd", .. },
        "sgd: learning_rate must be at least 0 and finite; got -1"
    );
    close(&w, &array![[0.5, 1.5]], 1e-6);
}

fn xor(options: &FitOptions) -> (History, Mlp) {
    let x: ArrayView2<'_, f32> = ArrayView2::from(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let mut model = Mlp::new(&Device::cpu(), &[2, 16, 2], 7).unwrap();
    let history = model.fit(x, &[0u8, 1, 1, 0], options).unwrap();
    if options.epochs > 50 {
        assert_eq!(model.predict(x).unwrap(), [0, 1, 1, 0]);
        assert_eq!(model.score(x, &[0u8, 1, 1, 0]).unwrap(), 1.0);
    }
    (history, model)
}

#[test]
fn training_learns_repeats_itself_and_stops_when_told() {
    let options = FitOptions { epochs: 300, batch: 3, optimizer: Optimizer::adam(0.03), seed: 5, ..Default::default() };
    let ((first, one), (second, two)) = (xor(&options), xor(&options));
    let losses = |history: &History| history.epochs.iter().map(|epoch| epoch.loss.to_bits()).collect::<Vec<_>>();
    assert!(first.epochs[299].loss < 0.1 * first.epochs[0].loss && first.epochs[299].accuracy == 1.0);
    assert_eq!(losses(&first), losses(&second));
    for (one, two) in one.layers().iter().zip(two.layers()) {
        assert_eq!(one.weights().to_array().unwrap(), two.weights().to_array().unwrap());
    }
    xor(&FitOptions { optimizer: Optimizer::sgd(0.3), ..options.clone() });
    let short = FitOptions { epochs: 5, ..options };
    assert_ne!(losses(&xor(&short).0), losses(&xor(&FitOptions { seed: 6, ..short.clone() }).0));
    assert_eq!(xor(&FitOptions { epochs: 0, ..short.clone() }).0, History::default());

    let (x, mut model) = (array![[0.0, NAN], [1.0, 0.0]], one);
    let tolerant = FitOptions { stop_on_non_finite: false, ..short.clone() };
    let mut stop = |model: &Mlp, epoch: &Epoch| {
        assert_eq!((model.inputs(), epoch.non_finite_rows > 0), (2, true));
        Ok(if epoch.index == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let stopped = Trainer::new(&tolerant).callback(&mut stop).fit(&mut model, x.view(), &[0u8, 1]);
    assert_eq!(stopped.unwrap().epochs.len(), 2);
    let mut fail = |_: &Mlp, _: &Epoch| Err(Error::NoForward { layer: "mine", call: "backward" });
    let failed = Trainer::new(&tolerant).callback(&mut fail).fit(&mut model, x.view(), &[0u8, 1]);
    assert!(matches!(failed, Err(Error::NoForward { layer: "mine", call: "backward" })));
}

/// Copies on the host are made after epochs, at least a second apart.
#[test]
fn a_long_fit_copies_its_parameters_meanwhile() {
    const SECOND: Duration = Duration::from_secs(1);
    let ((x, labels), options) = (blobs(40, 5), FitOptions { epochs: 3, batch: 16, ..Default::default() });
    let mut model = Mlp::new(&Device::cpu(), &[4, 8, 3], 1).unwrap();
    let (untrained, start) = (model.last_copy().to_vec(), Instant::now());
    let (mut copies, mut times) = (Vec::new(), Vec::new());
    let mut watch = |model: &Mlp, epoch: &Epoch| {
        copies.push((model.last_copy().to_vec(), model.parameters()?));
        times.push(start.elapsed());
        if epoch.index == 0 {
            thread::sleep(SECOND);
        }
        Ok(ControlFlow::Continue(()))
    };
    Trainer::new(&options).callback(&mut watch).fit(&mut model, x.view(), &labels).unwrap();
    let [(first, _), (second, after_second), (third, after_third)] = &copies[..] else { panic!("three epochs") };
    assert_eq!(second, after_second);
    // Epochs that take less than a second together have one copy. On a slow machine they may take longer.
    if times[0] < SECOND {
        assert_eq!(first, &untrained);
    }
    if times[2].saturating_sub(times[0] + SECOND) < SECOND {
        assert_eq!(third, after_second);
    }
    assert_eq!(model.last_copy(), after_third);
}
