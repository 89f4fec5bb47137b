//! Matrices on the CPU path: they take arrays in every layout, and can be read into existing arrays.

#![allow(clippy::unwrap_used, reason = "tests")]

use ndarray::{Array2, ArrayView2, array, s};
use wgpu_mlp::{Device, Matrix};

fn bits(array: ArrayView2<'_, f32>) -> Vec<u32> {
    array.iter().map(|value| value.to_bits()).collect()
}

/// Numbers that are all different, among them a NaN, an infinity, -0 and a subnormal number.
fn numbers(rows: usize, cols: usize) -> Array2<f32> {
    let special = [f32::NAN, f32::NEG_INFINITY, -0.0, 1e-40];
    Array2::from_shape_fn((rows, cols), |(r, c)| match r * cols + c {
        number if number % 7 < special.len() => special[number % 7],
        number => number as f32,
    })
}

#[test]
fn every_layout_comes_back_as_it_is() {
    let device = Device::cpu();
    let (x, row) = (numbers(9, 14), array![[1.0, 2.0, 3.0]]);
    let views = [
        x.view(),
        x.t(),
        x.slice(s![2..7, 3..]),
        x.slice(s![..;-1, ..;2]),
        x.slice(s![4.., ..;-3]),
        row.broadcast((5, 3)).unwrap(),
    ];
    for view in views {
        let matrix = Matrix::from_array(&device, view).unwrap();
        assert_eq!((matrix.shape(), matrix.rows(), matrix.cols()), (view.dim(), view.nrows(), view.ncols()));
        assert_eq!(bits(matrix.to_array().unwrap().view()), bits(view), "{:?}", view.strides());
        let slice: Vec<f32> = view.iter().copied().collect();
        let other = Matrix::from_slice(&device, view.nrows(), view.ncols(), &slice).unwrap();
        assert_eq!(bits(other.to_array().unwrap().view()), bits(view), "{:?}", view.strides());
    }
    assert_eq!(bits(Matrix::zeros(&device, 2, 3).unwrap().to_array().unwrap().view()), [0; 6]);
}

#[test]
fn arrays_that_are_there_are_read_into() {
    let x = numbers(4, 6);
    let matrix = Matrix::from_array(&Device::cpu(), x.view()).unwrap();
    let mut plain = Array2::zeros((4, 6));
    matrix.read_into(plain.view_mut()).unwrap();
    assert_eq!(bits(plain.view()), bits(x.view()));
    let mut turned = Array2::zeros((6, 4));
    matrix.read_into(turned.view_mut().reversed_axes()).unwrap();
    assert_eq!(bits(turned.t()), bits(x.view()));
    // Every other column of a wider array. The columns between them are not changed.
    for awaited in [false, true] {
        let mut wide = Array2::from_elem((4, 12), 7.0);
        let part = wide.slice_mut(s![.., ..;2]);
        let read = if awaited { pollster::block_on(matrix.read_into_async(part)) } else { matrix.read_into(part) };
        read.unwrap();
        assert_eq!(bits(wide.slice(s![.., ..;2])), bits(x.view()));
        assert!(wide.slice(s![.., 1..;2]).iter().all(|other| *other == 7.0));
    }
}
