//! `.npy` files as sources of rows: the bits of `read_npy`, for each type, order and address.

use std::fs;

use ndarray::{Array2, array};
use wgpu_mlp::Error;
use wgpu_mlp::data::{Scaler, npy_rows, open_npy, read_npy, write_npy};
use wgpu_mlp::source::half::{bf16, f16};
use wgpu_mlp::source::{RowError, RowSource, Selected, Shards};

use super::Scratch;
use super::npy::npy;

/// The values of these rows.
pub fn rows_of(source: &impl RowSource, rows: &[usize]) -> Vec<f32> {
    let mut values = vec![f32::NAN; rows.len() * source.dim().1];
    source.read_rows(rows, &mut values).unwrap();
    values
}

pub fn all_rows(source: &impl RowSource) -> Vec<f32> {
    rows_of(source, &(0..source.dim().0).collect::<Vec<_>>())
}

/// The source must give the bits of this array: all rows at once, none, and rows in any order, some of them repeated.
#[track_caller]
pub fn same_rows(source: &impl RowSource, want: &Array2<f32>, name: &str) {
    let count = want.nrows();
    assert_eq!(source.dim(), want.dim(), "{name}");
    let some = [3, 3, 0, 1, 2, 9, 8, 4, 5, 6, 7, 6, 5].map(|row| row % count);
    let scattered: Vec<usize> = (0..2 * count).map(|row| row * row * 7 % count).collect();
    let all: Vec<usize> = (0..count).collect();
    for rows in [&[][..], &[count - 1], &some, &scattered, &all] {
        let bits = |values: Vec<f32>| -> Vec<u32> { values.into_iter().map(f32::to_bits).collect() };
        assert_eq!(bits(rows_of(source, rows)), bits(rows_of(want, rows)), "{name}, rows {rows:?}");
    }
    if let Some(values) = source.as_values() {
        assert!(values.iter().zip(want).all(|(value, want)| value.to_bits() == want.to_bits()), "{name}");
    }
    let error = source.read_rows(&[0, count], &mut vec![0.0; 2 * want.ncols()]).unwrap_err();
    assert_eq!((error.row, error.source.to_string()), (count, format!("there are only {count} rows")), "{name}");
}

/// The numbers of `tests/host/data` that all types have; negative numbers and fractions for the types that have them.
fn number(kind: char, index: usize) -> f64 {
    let index = index as f64;
    match kind {
        'f' | 'V' if index == 40.0 => f64::NAN,
        'f' | 'V' if index == 41.0 => f64::NEG_INFINITY,
        'f' | 'V' if index == 42.0 => -0.0,
        'f' | 'V' => (index - 100.0) / 3.0,
        'i' => index % 100.0 - 50.0,
        'u' => index % 256.0,
        _ => f64::from(index as u32 % 3 / 2),
    }
}

/// A number's bytes in little-endian order, and what it is as f32.
fn encoded(kind: char, size: usize, value: f64) -> (Vec<u8>, f32) {
    macro_rules! as_type {
        ($type:ty) => {{
            let value = value as $type;
            (value.to_le_bytes().to_vec(), value as f32)
        }};
    }
    match (kind, size) {
        ('f', 2) => (f16::from_f64(value).to_le_bytes().to_vec(), f16::from_f64(value).to_f32()),
        ('V', 2) => (bf16::from_f64(value).to_le_bytes().to_vec(), bf16::from_f64(value).to_f32()),
        ('f', 4) => as_type!(f32),
        ('f', 8) => as_type!(f64),
        ('i', 1) => as_type!(i8),
        ('i', 2) => as_type!(i16),
        ('i', 4) => as_type!(i32),
        ('i', 8) => as_type!(i64),
        ('u', 1) | ('b', 1) => as_type!(u8),
        ('u', 2) => as_type!(u16),
        ('u', 4) => as_type!(u32),
        _ => as_type!(u64),
    }
}

/// The bytes of an array with such numbers, and the array.
pub fn numbers(kind: char, size: usize, big: bool, fortran: bool, shape: (usize, usize)) -> (Vec<u8>, Array2<f32>) {
    let at = |row: usize, col: usize| encoded(kind, size, number(kind, row * shape.1 + col));
    let array = Array2::from_shape_fn(shape, |(row, col)| at(row, col).1);
    let places = (0..shape.0 * shape.1).map(|place| match fortran {
        true => (place % shape.0, place / shape.0),
        false => (place / shape.1, place % shape.1),
    });
    let ordered = |mut bytes: Vec<u8>| {
        if big {
            bytes.reverse();
        }
        bytes
    };
    (places.flat_map(|(row, col)| ordered(at(row, col).0)).collect(), array)
}

const TYPES: [(char, usize); 13] = [
    ('f', 2),
    ('f', 4),
    ('f', 8),
    ('V', 2),
    ('i', 1),
    ('i', 2),
    ('i', 4),
    ('i', 8),
    ('u', 1),
    ('u', 2),
    ('u', 4),
    ('u', 8),
    ('b', 1),
];

#[test]
fn each_type_in_each_order_at_each_address() {
    let scratch = Scratch::new();
    for (kind, size) in TYPES {
        for (big, fortran, shape) in [
            (false, false, (139, 5)),
            (true, false, (139, 5)),
            (false, true, (139, 5)),
            (true, true, (139, 5)),
            (false, false, (10, 1)),
            (true, true, (10, 1)),
            (false, true, (1, 600)),
        ] {
            let descr = format!("{}{kind}{size}", if big { '>' } else { '<' });
            let name = format!("{descr}, Fortran order: {fortran}, {shape:?}");
            let (data, want) = numbers(kind, size, big, fortran, shape);
            let order = if fortran { "True" } else { "False" };
            let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape:?}}}");
            let bytes = npy(&header, &data);
            let read = scratch.read(&bytes, read_npy).unwrap();
            let bits = |array: &Array2<f32>| array.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&read), bits(&want), "{name}");
            for behind in 0..8 {
                let moved = [&vec![0; behind][..], &bytes].concat();
                let rows = npy_rows(&moved[behind..], "mapped.npy").unwrap();
                assert!(rows.is_in_memory());
                same_rows(&rows, &want, &name);
            }
            match open_npy(&scratch.path) {
                Ok(rows) => {
                    assert!(!rows.is_in_memory() && rows.as_values().is_none());
                    same_rows(&rows, &want, &name);
                }
                Err(error) => assert!(fortran && shape.0 > 1 && error.to_string().contains("C order"), "{error}"),
            }
        }
    }
}

#[test]
fn values_that_lie_ready_are_not_copied() {
    let native = if cfg!(target_endian = "big") { ">f4" } else { "<f4" };
    let file = |descr: &str, order: &str| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': (2, 3)}}");
        npy(&header, &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0].map(f32::to_ne_bytes).concat())
    };
    let bytes = file(native, "False");
    let mut room = vec![0; bytes.len() + 8];
    let start = room.as_ptr().align_offset(4);
    for behind in 0..4 {
        let place = start + behind..start + behind + bytes.len();
        room[place.clone()].copy_from_slice(&bytes);
        let rows = npy_rows(&room[place.clone()], "mapped.npy").unwrap();
        let values = rows.as_values().map(|values| (values.as_ptr().cast(), values.len()));
        assert_eq!(values, (behind == 0).then(|| (&raw const room[place.start + 128], 6)), "{behind}");
    }
    let other = if native == "<f4" { ">f4" } else { "<f4" };
    for (descr, order) in [(other, "False"), (native, "True"), ("<i4", "False")] {
        assert!(npy_rows(&file(descr, order), "mapped.npy").unwrap().as_values().is_none());
    }
}

#[test]
fn rows_longer_than_what_is_read_at_a_time_and_none() {
    let scratch = Scratch::new();
    for (kind, size) in [('f', 2), ('f', 8), ('f', 4)] {
        let (data, want) = numbers(kind, size, false, false, (3, 140_001));
        let header = format!("{{'descr': '<{kind}{size}', 'fortran_order': False, 'shape': (3, 140001)}}");
        fs::write(&scratch.path, npy(&header, &data)).unwrap();
        same_rows(&open_npy(&scratch.path).unwrap(), &want, &header);
        same_rows(&npy_rows(&fs::read(&scratch.path).unwrap(), "read").unwrap(), &want, &header);
    }
    for shape in [(0, 3), (3, 0), (0, 0)] {
        for order in ["True", "False"] {
            let header = format!("{{'descr': '<f2', 'fortran_order': {order}, 'shape': {shape:?}}}");
            fs::write(&scratch.path, npy(&header, b"")).unwrap();
            let bytes = fs::read(&scratch.path).unwrap();
            for rows in [open_npy(&scratch.path).unwrap(), npy_rows(&bytes, "read").unwrap()] {
                assert_eq!((rows.dim(), all_rows(&rows)), (shape, vec![]));
                assert_eq!(rows.read_rows(&[usize::MAX], &mut []).unwrap_err().row, usize::MAX);
            }
        }
    }
}

#[test]
fn files_that_change_while_they_are_open() {
    let scratch = Scratch::new();
    for descr in ["<f4", "<f2"] {
        let size = usize::from(descr.as_bytes()[2] - b'0');
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (100, 3)}}");
        fs::write(&scratch.path, npy(&header, &vec![0; 300 * size])).unwrap();
        let rows = open_npy(&scratch.path).unwrap();
        let file = fs::File::options().write(true).open(&scratch.path).unwrap();
        file.set_len(128 + (61 * 3 * size) as u64 - 1).unwrap();
        assert_eq!(rows_of(&rows, &[59, 0]), [0.0; 6]);
        for wanted in [&[60][..], &[5, 60, 61], &[57, 58, 59, 60, 61, 62]] {
            let error = rows.read_rows(wanted, &mut vec![0.0; 3 * wanted.len()]).unwrap_err();
            assert_eq!(error.row, 60, "{wanted:?}");
            let error = *error.source.downcast::<Error>().unwrap();
            assert!(matches!(&error, Error::Data { path, .. } if *path == scratch.path), "{error:?}");
            let words = "the file must keep its length while its rows are read; got a shorter one, without its row 60";
            assert_eq!(error.to_string(), format!("{}: {words}", scratch.path.display()));
        }
        let joined = Shards::new(vec![&rows, &rows]).unwrap();
        let last = Selected::new(&joined, vec![160, 1]).unwrap();
        let error = joined.read_rows(&[0, 160], &mut [0.0; 6]).unwrap_err();
        assert!(error.row == 160 && error.source.to_string().ends_with("without its row 60"), "{error}");
        assert_eq!(last.read_rows(&[1, 0], &mut [0.0; 6]).unwrap_err().row, 0);
        let error = write_npy(&scratch.path, array![[1.0]].view()).and_then(|()| read_npy(&scratch.path));
        assert_eq!(error.unwrap(), array![[1.0]], "a file that was replaced is another one");
    }
}

#[test]
fn what_cannot_be_opened_is_named() {
    let scratch = Scratch::new();
    let fortran = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", &[0; 16]);
    let words = "rows are read from files in C order; in NumPy: np.ascontiguousarray(array), or map it for npy_rows; got \
                 Fortran order";
    scratch.refused(&fortran, open_npy, words);
    let missing = scratch.path.with_file_name("missing");
    assert!(matches!(open_npy(&missing), Err(Error::File { path, .. }) if path == missing));
    let folder = scratch.path.parent().unwrap();
    assert!(matches!(open_npy(folder), Err(Error::File { path, .. }) if path == folder));
}

/// Rows of a file of a tebibyte (a sparse file) are read without the rest.
#[cfg(target_os = "linux")]
#[test]
fn large_files_and_pipes() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let scratch = Scratch::new();
    let bytes = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1073741824, 256)}", &[]);
    let mut sparse = fs::File::create(&scratch.path).unwrap();
    sparse.write_all(&bytes).unwrap();
    sparse.set_len(128 + (1 << 40)).unwrap();
    let rows = open_npy(&scratch.path).unwrap();
    assert_eq!(rows.dim(), (1 << 30, 256));
    assert_eq!(rows_of(&rows, &[(1 << 30) - 1, 5]), [0.0; 512]);

    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(&npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1)}", &[0])).unwrap();
    drop(write);
    let error = open_npy(format!("/proc/self/fd/{}", read.as_raw_fd())).unwrap_err();
    assert!(error.to_string().contains("read_npy reads pipes"), "{error}");
}

/// A source that panics when it is asked how many rows there are.
struct Countless;

impl RowSource for Countless {
    fn dim(&self) -> (usize, usize) {
        panic!("rows without end");
    }

    fn read_rows(&self, _: &[usize], _: &mut [f32]) -> Result<(), RowError> {
        Ok(())
    }
}

#[test]
fn a_source_that_panics_over_its_size() {
    let scaler = Scaler::fit(&array![[1.0f32], [2.0]]).unwrap();
    let selected = Selected::new(Countless, vec![0]).map(drop);
    for refused in [selected, Shards::new(vec![Countless]).map(drop), scaler.scaled(Countless).map(drop)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Source { .. }) && error.to_string().contains("rows without end"), "{error}");
    }
}
