//! Arrays of more than two dimensions, such as images: all dimensions but the first are joined.

use wgpu_mlp::Error;
use wgpu_mlp::data::{npy_rows, npy_view, open_npy, read_npy, read_npy_labels};

use super::Scratch;
use super::npy::npy;
use super::sources::{numbers, same_rows};

/// A file with this header and data.
fn file(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy(&format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}}}"), data)
}

#[test]
fn images_become_rows() {
    let (scratch, big) = (Scratch::new(), cfg!(target_endian = "big"));
    let native = if big { ">f4" } else { "<f4" };
    let (data, want) = numbers('f', 4, big, false, (10, 12));
    for shape in ["(10, 12)", "(10, 3, 4)", "(10, 1, 3, 4)", "(10, 12, 1)", "(10, 2, 3, 2, 1)"] {
        let bytes = file(native, "False", shape, &data);
        same_rows(&scratch.read(&bytes, read_npy).unwrap(), &want, shape);
        same_rows(&open_npy(&scratch.path).unwrap(), &want, shape);
        same_rows(&npy_rows(&bytes, "mapped.npy").unwrap(), &want, shape);
        let aligned: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        same_rows(&npy_view(bytemuck::cast_slice(&aligned), "mapped.npy").unwrap(), &want, shape);
    }
    let (data, want) = numbers('u', 2, false, false, (1, 12));
    let bytes = file("<u2", "False", "(1, 3, 4)", &data);
    same_rows(&scratch.read(&bytes, read_npy).unwrap(), &want, "a single image");
    same_rows(&open_npy(&scratch.path).unwrap(), &want, "a single image");
    for (shape, dim) in [("(0, 28, 28)", (0, 784)), ("(3, 0, 28)", (3, 0))] {
        assert_eq!(scratch.read(&file("|u1", "False", shape, b""), read_npy).unwrap().dim(), dim);
    }
}

#[test]
fn images_in_fortran_order() {
    let scratch = Scratch::new();
    // With a single dimension beside the rows, numbers lie as in a matrix.
    let (data, want) = numbers('f', 4, false, true, (10, 12));
    for shape in ["(10, 12)", "(10, 1, 12)", "(10, 12, 1, 1)"] {
        let bytes = file("<f4", "True", shape, &data);
        same_rows(&scratch.read(&bytes, read_npy).unwrap(), &want, shape);
        same_rows(&npy_rows(&bytes, "mapped.npy").unwrap(), &want, shape);
    }
    for (shape, found) in [("(10, 3, 4)", "[10, 3, 4]"), ("(1, 10, 12)", "[1, 10, 12]")] {
        let bytes = file("<f4", "True", shape, &data);
        let rule =
            "an array of more than two dimensions must be in C order; in NumPy: np.ascontiguousarray(array); got";
        let words = format!("{rule} Fortran order and shape {found}");
        scratch.refused(&bytes, read_npy, &words);
        scratch.refused(&bytes, open_npy, &words);
        scratch.refused(&bytes, |path| npy_rows(&bytes, path).map(drop), &words);
        let error = scratch.refused(&bytes, |path| npy_view(&bytes, path).map(drop), &words);
        assert!(matches!(error, Error::Data { .. }));
    }
}

#[test]
fn labels_of_several_dimensions() {
    let scratch = Scratch::new();
    assert_eq!(scratch.read(&file("|u1", "False", "(3, 1, 1)", &[7, 0, 2]), read_npy_labels).unwrap(), [7, 0, 2]);
    let words =
        "labels must have one dimension, or one column; of one-hot rows in NumPy: labels.argmax(axis=1); got 2x4";
    scratch.refused(&file("|u1", "False", "(2, 2, 2)", &[0; 8]), read_npy_labels, words);
}
