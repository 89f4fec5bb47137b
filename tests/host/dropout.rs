//! Dropout on the CPU path: which elements it sets to 0, and how it scales the others.

#![allow(clippy::unwrap_used, reason = "tests")]

use ndarray::{Array2, Axis, array};
use wgpu_mlp::layers::Dropout;
use wgpu_mlp::{Device, Matrix, ops};

const RATE: f32 = 0.25;

fn matrix(array: &Array2<f32>) -> Matrix {
    Matrix::from_array(&Device::cpu(), array.view()).unwrap()
}

fn dropped(x: &Array2<f32>, seed: u64, counter: u64) -> Array2<f32> {
    ops::dropout(&matrix(x), RATE, seed, counter).unwrap().to_array().unwrap()
}

/// Seed, counter and index decide which elements are 0; the others are divided by 1 - rate.
#[test]
fn seed_counter_and_place_decide() {
    let ones = Array2::ones((100, 100));
    let first = dropped(&ones, 7, 0);
    let scaled = 1.0 / (1.0 - RATE);
    assert!(first.iter().all(|value| *value == 0.0 || (value - scaled).abs() < 1e-6));
    // Five standard deviations of 10,000 draws.
    let share = first.iter().filter(|value| **value == 0.0).count() as f32 / 1e4;
    assert!((share - RATE).abs() < 5.0 * (RATE * (1.0 - RATE) / 1e4).sqrt(), "{share}");
    assert_eq!(dropped(&ones, 7, 0), first);
    for (seed, counter) in [(8, 0), (7, 1), (7, 1 << 32), (7 + (1 << 32), 0), (0, 7)] {
        let other = dropped(&ones, seed, counter);
        let apart = other.iter().zip(&first).filter(|(one, other)| one != other).count();
        // Two independent draws differ in 2 · 0.25 · 0.75 of the elements.
        assert!((3000..4500).contains(&apart), "{seed}, {counter}: {apart} of 10000 differ");
    }
    // Each row is drawn separately.
    assert!((1..100).all(|row| first.row(row) != first.row(row - 1)));
}

#[test]
fn what_is_left_out_is_zero_whatever_it_was() {
    let ones = dropped(&Array2::ones((20, 30)), 7, 3);
    for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let got = dropped(&Array2::from_elem((20, 30), special), 7, 3);
        let right = |(got, one): (&f32, &f32)| match *one == 0.0 {
            true => got.to_bits() == 0,
            false => *got == special || (got.is_nan() && special.is_nan()),
        };
        assert!(got.iter().zip(&ones).all(right), "{special}");
    }
    // A rate of 0 changes no bit.
    let x = array![[1.5, -0.0, 1e-40, f32::INFINITY, f32::MAX]];
    let same = ops::dropout(&matrix(&x), 0.0, 7, 3).unwrap().to_array().unwrap();
    assert_eq!(same.mapv(f32::to_bits), x.mapv(f32::to_bits));
}

#[test]
fn some_rows_lose_what_they_lose_among_all() {
    let x = Array2::from_shape_fn((12, 50), |(r, c)| (1 + r * 50 + c) as f32);
    let all = dropped(&x, 7, 3);
    for rows in [vec![0], vec![11, 3], vec![5, 5, 0, 7], (0..12).rev().collect()] {
        let few = matrix(&x.select(Axis(0), &rows));
        let numbers: Vec<u64> = rows.iter().map(|row| *row as u64).collect();
        let got = ops::dropout_rows(&few, &numbers, RATE, 7, 3).unwrap().to_array().unwrap();
        assert_eq!(got, all.select(Axis(0), &rows), "{rows:?}");
    }
}

#[test]
fn the_layer_draws_anew_in_training_and_changes_nothing_outside() {
    let (ones, mut layer) = (Array2::ones((20, 30)), Dropout::new(RATE, 7));
    let x = matrix(&ones);
    let mut forward = |training| layer.forward(&x, training).unwrap().to_array().unwrap();
    let [first, second] = [forward(true), forward(true)];
    assert_eq!(forward(false), ones);
    assert_ne!(first, second);
    // Outside of training the gradient passes unchanged; after a forward pass in training it is 0 for the elements that the
    // pass set to 0.
    let backward = |layer: &Dropout| layer.backward(&x).unwrap().to_array().unwrap();
    assert_eq!(backward(&layer), ones);
    let third = layer.forward(&x, true).unwrap().to_array().unwrap();
    assert!(third != first && third != second);
    assert_eq!(backward(&layer), third);
}
