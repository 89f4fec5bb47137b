use std::fs;

use ndarray::{Array2, Axis, array, s};
use wgpu_mlp::Error;
use wgpu_mlp::data::{Scaler, read_npy};

use super::Scratch;
use super::npy::npy;

fn waves(rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(r, c)| 100.0 * c as f32 + (1 + c) as f32 * ((r * (c + 3)) as f32).sin())
}

#[test]
fn figures_are_those_of_scikit_learn() {
    // StandardScaler().fit([[0, 0, 7], [0, 1, 7], [1, 1, 7], [1, 3, 7]]): mean_, scale_
    let scaler =
        Scaler::fit(array![[0.0, 0.0, 7.0], [0.0, 1.0, 7.0], [1.0, 1.0, 7.0], [1.0, 3.0, 7.0]].view()).unwrap();
    assert_eq!(scaler.mean(), [0.5, 1.25, 7.0]);
    assert_eq!(scaler.scale(), [0.5, 1.0897247358851685, 1.0]);
    let scaled = scaler.transform(array![[2.0, 2.0, 7.5]].view()).unwrap();
    assert_eq!(scaled, array![[3.0, 0.688_247_2, 0.5]]);
}

#[test]
fn scaled_features_have_mean_0_and_variance_1() {
    let x = waves(1001, 5);
    let scaler = Scaler::fit(x.view()).unwrap();
    let scaled = scaler.transform(x.view()).unwrap().mapv(f64::from);
    let (mean, deviation) = (scaled.mean_axis(Axis(0)).unwrap(), scaled.std_axis(Axis(0), 0.0));
    assert!(mean.iter().all(|mean| mean.abs() < 1e-6), "{mean}");
    assert!(deviation.iter().all(|deviation| (deviation - 1.0).abs() < 1e-6), "{deviation}");
    let back = scaler.inverse_transform(scaler.transform(x.view()).unwrap().view()).unwrap();
    assert!((&back - &x).iter().zip(&x).all(|(apart, x)| apart.abs() <= 1e-6 * x.abs().max(10.0)));
    // Views in any layout.
    let (turned, part) = (x.t().as_standard_layout().into_owned(), x.slice(s![..;2, ..]));
    assert_eq!(Scaler::fit(turned.t()).unwrap(), scaler);
    assert_eq!(Scaler::fit(part).unwrap(), Scaler::fit(part.to_owned().view()).unwrap());
}

#[test]
fn columns_of_equal_values_become_zero() {
    for value in [0.0f32, 0.1, -16_777_217.0, 1e-40, f32::MAX] {
        let x = Array2::from_elem((7, 2), value);
        let scaler = Scaler::fit(x.view()).unwrap();
        assert_eq!((scaler.mean(), scaler.scale()), (&[f64::from(value); 2][..], &[1.0; 2][..]));
        assert!(scaler.transform(x.view()).unwrap().iter().all(|x| *x == 0.0));
    }
    assert_eq!(Scaler::fit(array![[3.0, 4.0]].view()).unwrap().scale(), [1.0, 1.0], "one row");
    // Sums are in f64: f32 would lose the ones that are added to 2^24.
    let large = array![[16_777_216.0], [16_777_218.0], [16_777_220.0]];
    let scaler = Scaler::fit(large.view()).unwrap();
    assert_eq!((scaler.mean(), scaler.scale()[0]), (&[16_777_218.0][..], (8.0f64 / 3.0).sqrt()));
    assert_eq!(Scaler::fit(array![[f32::MAX], [f32::MIN]].view()).unwrap().scale(), [f64::from(f32::MAX)]);
}

#[test]
fn what_cannot_be_scaled_is_named() {
    let scaler = Scaler::fit(waves(9, 3).view()).unwrap();
    for (value, words) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut x = waves(9, 3);
        (x[[4, 1]], x[[5, 0]]) = (value, f32::NAN);
        let words = format!("scaler: row 4, column 1 is {words}; features must be finite");
        for error in [
            Scaler::fit(x.view()).unwrap_err(),
            scaler.transform(x.view()).unwrap_err(),
            scaler.inverse_transform(x.view()).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Feature { op: "scaler", row: 4, col: 1, .. }), "{error:?}");
            assert_eq!(error.to_string(), words);
        }
    }
    for shape in [(0, 3), (3, 0), (0, 0)] {
        assert!(matches!(Scaler::fit(Array2::<f32>::zeros(shape)), Err(Error::Empty { op: "scaler", .. })));
        assert!(matches!(scaler.transform(Array2::zeros(shape).view()), Err(Error::Empty { .. })));
    }
    let error = scaler.transform(waves(9, 4).view()).unwrap_err();
    let words = "scaler: features must have the columns that the scaler was fitted to; got 9x4 and 1x3";
    assert_eq!(error.to_string(), words);
}

#[test]
fn a_scaler_comes_back_bit_by_bit() {
    let scratch = Scratch::new();
    let scaler = Scaler::fit(waves(100, 7).view()).unwrap();
    scaler.save(&scratch.path).unwrap();
    assert_eq!(Scaler::load(&scratch.path).unwrap(), scaler);
    assert_eq!(read_npy(&scratch.path).unwrap().dim(), (2, 7), "np.load reads it too");
    let before = fs::read(&scratch.path).unwrap();
    assert!(matches!(scaler.save(scratch.path.join("below-a-file")), Err(Error::File { .. })));
    assert_eq!(fs::read(&scratch.path).unwrap(), before);
    for length in [0, 5, 60, before.len() - 8, before.len() - 1] {
        let cut = scratch.read(&before[..length], Scaler::load);
        assert!(matches!(cut, Err(Error::Format { .. } | Error::Data { .. })), "{length}: {cut:?}");
    }
}

#[test]
fn files_that_hold_no_scaler() {
    let scratch = Scratch::new();
    let file = |shape: &str, values: &[f64]| {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        npy(&header, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
    };
    let scaler = scratch.read(&file("(2, 2)", &[1.0, 2.0, 3.0, 4.0]), Scaler::load).unwrap();
    assert_eq!((scaler.mean(), scaler.scale()), (&[1.0, 2.0][..], &[3.0, 4.0][..]));
    let rows = "a scaler has a row of means and a row of scales; got";
    scratch.refused(&file("(3, 1)", &[1.0; 3]), Scaler::load, &format!("{rows} 3x1"));
    scratch.refused(&file("(2, 0)", &[]), Scaler::load, &format!("{rows} 2x0"));
    let values = "means must be finite, scales finite and positive; got";
    for (mean, scale, wrong) in
        [(f64::NAN, 1.0, "NaN"), (0.0, 0.0, "0"), (0.0, -1.0, "-1"), (0.0, f64::INFINITY, "inf")]
    {
        scratch.refused(&file("(2, 1)", &[mean, scale]), Scaler::load, &format!("{values} {wrong}"));
    }
    assert!(matches!(Scaler::load(scratch.path.join("none")), Err(Error::File { .. })));
}
