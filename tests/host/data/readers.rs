//! Readers and writers instead of files: the same values, and the same errors with another name.

use std::io::{self, Read, Write};

use ndarray::{Array2, array, s};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use wgpu_mlp::Error;
use wgpu_mlp::data::{
    CsvOptions, Scaler, read_csv, read_csv_features, read_csv_features_from, read_csv_from, read_npy, read_npy_from,
    read_npy_labels, read_npy_labels_from, read_safetensors_labels, safetensors_labels, write_npy, write_npy_to,
};

use super::Scratch;
use super::npy::npy;

/// A reader that gives a few bytes at a time and is interrupted in between, as pipes and sockets are.
struct Slow<'a> {
    bytes: &'a [u8],
    calls: usize,
}

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = into.len().min(3);
        self.bytes.read(&mut into[..most])
    }
}

fn slow(bytes: &[u8]) -> Slow<'_> {
    Slow { bytes, calls: 0 }
}

/// A reader that fails after these bytes.
fn failing(bytes: &[u8]) -> impl Read {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the line went dead"))
        }
    }
    bytes.chain(Failing)
}

/// A file and two readers of its bytes must give equal results; errors may differ only in the name.
#[track_caller]
fn alike<T: PartialEq + std::fmt::Debug>(of_file: Result<T, Error>, of_readers: [Result<T, Error>; 2]) {
    for of_reader in of_readers {
        match (&of_file, &of_reader) {
            (Ok(of_file), Ok(of_reader)) => assert_eq!(of_reader, of_file),
            (Err(of_file), Err(of_reader)) => {
                let of_file = of_file.to_string();
                let (_, words) = of_file.split_once("/file: ").expect("a file's name");
                assert_eq!(of_reader.to_string(), format!("the given bytes: {words}"));
            }
            (of_file, of_reader) => panic!("{of_file:?} and {of_reader:?}"),
        }
    }
}

#[test]
fn arrays_and_labels_from_readers() {
    let scratch = Scratch::new();
    let header = |descr: &str, order: &str, shape: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}")
    };
    let whole = npy(&header("<i2", "False", "(2, 3)"), &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0]);
    let column = npy(&header("|u1", "False", "(4,)"), &[7, 0, 2, 255]);
    let floats = npy(&header("<f4", "True", "(2, 1)"), little_endian(&[1.0, 2.5]).as_slice());
    let lies = npy(&header("<f8", "False", "(268435456, 1)"), &[0; 64]);
    let large = npy(&header("<f4", "False", "(300000, 1)"), &vec![0; 1_200_000]);
    let broken = [vec![], vec![0; 20], b"\x93NUMPY\x01\x00".to_vec()];
    let mut tried = vec![whole.clone(), column, floats, lies, large];
    for bytes in tried.iter().chain(&broken) {
        let of_file = scratch.read(bytes, read_npy_labels);
        alike(of_file, [read_npy_labels_from(&bytes[..]), read_npy_labels_from(slow(bytes))]);
    }
    tried.extend((0..whole.len()).map(|length| whole[..length].to_vec()));
    tried.push([&whole[..], &[0]].concat());
    for bytes in tried.iter().chain(&broken) {
        let of_file = scratch.read(bytes, read_npy);
        alike(of_file, [read_npy_from(&bytes[..]), read_npy_from(slow(bytes))]);
    }
    let error = read_npy_from(failing(&whole[..130])).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the given bytes: the line went dead");
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A header may claim any length; memory grows only with the bytes that are read.
#[test]
fn a_reader_without_end_is_read_no_further_than_its_header_says() {
    let header = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (10, 2), }", &[]);
    let error = read_npy_from(header.chain(io::repeat(0))).unwrap_err();
    let words = "the given bytes: the data must be as long as the header says; got 81 bytes where 10x2 needs 80";
    assert_eq!(error.to_string(), words);
}

#[test]
fn arrays_to_writers() {
    let scratch = Scratch::new();
    let transposed = Array2::from_shape_fn((3, 4), |(row, col)| (row * 4 + col) as f32).reversed_axes();
    for values in [array![[1.5, -2.0]], transposed, Array2::zeros((0, 3))] {
        let mut bytes = Vec::new();
        write_npy_to(&mut bytes, values.view()).unwrap();
        write_npy(&scratch.path, values.view()).unwrap();
        assert_eq!(bytes, std::fs::read(&scratch.path).unwrap());
        assert_eq!(read_npy_from(&bytes[..]).unwrap(), values);
    }
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = write_npy_to(Full, array![[1.0]].view()).unwrap_err();
    assert!(error.to_string().starts_with("the given writer: "), "{error}");
}

/// A writer may be a file, so each call of it costs time.
#[test]
fn a_writer_is_called_seldom() {
    struct Counting(usize);
    impl Write for Counting {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let values = Array2::<f32>::zeros((100_000, 3));
    for view in [values.view(), values.t(), values.slice(s![.., 1..2]), values.slice(s![..;-1, ..])] {
        let mut writer = Counting(0);
        write_npy_to(&mut writer, view).unwrap();
        assert!(writer.0 < 50, "{} calls for {:?}", writer.0, view.dim());
    }
}

#[test]
fn a_scaler_as_bytes_is_its_file() {
    let scratch = Scratch::new();
    let scaler = Scaler::fit(array![[0.1, 7.0], [0.4, 7.0], [0.2, -1.0]].view()).unwrap();
    scaler.save(&scratch.path).unwrap();
    let bytes = scaler.to_bytes().unwrap();
    assert_eq!(bytes, std::fs::read(&scratch.path).unwrap());
    assert_eq!(Scaler::from_bytes(&bytes).unwrap(), scaler);
    let mut negative = bytes.clone();
    negative[bytes.len() - 1] ^= 0x80;
    for tried in [&bytes[..], &bytes[..bytes.len() - 1], &bytes[..50], &[], &negative[..]] {
        let of_bytes = || Scaler::from_bytes(tried);
        alike(scratch.read(tried, Scaler::load), [of_bytes(), of_bytes()]);
    }
}

#[test]
fn tables_from_readers() {
    let scratch = Scratch::new();
    let many_empty = format!("a,b{}1,2\n\r\n\n3,x\n", "\n".repeat(10_000));
    for text in [
        "petal,sepal,species\n1.4,5.1,setosa\n4.7,7.0,versicolor\n",
        "1,2,a\r\n\r\n\r\n3,?,b\r\n",
        "\n\n\nx,y,z\n\n1,2,a\n\n\n3,4\n",
        "1,\"2\",\"a\nb\"\n",
        "1,2,\"a\"\n\n\"3\",\"\n4 \",b\n5,no,c\n",
        "1;2;a\n3;4;b\n",
        "1,2,a\r\r3,x,b\r",
        "",
        "\n\n",
        "\u{feff}1,2,a\n\n3,NaN,b\n",
        many_empty.as_str(),
    ] {
        let (bytes, options) = (text.as_bytes(), CsvOptions::default());
        let of_file = scratch.read(bytes, |path| read_csv(path, &options));
        alike(of_file, [read_csv_from(bytes, &options), read_csv_from(slow(bytes), &options)]);
        let of_file = scratch.read(bytes, |path| read_csv_features(path, &options));
        alike(of_file, [read_csv_features_from(bytes, &options), read_csv_features_from(slow(bytes), &options)]);
    }
    let error = read_csv_from(
        many_empty.as_bytes(),
        &CsvOptions { label: wgpu_mlp::data::Column::Index(0), ..Default::default() },
    );
    let words = "the given bytes: line 10004, column 2: a value must be a number; got \"x\"";
    assert_eq!(error.unwrap_err().to_string(), words);
    let error = read_csv_from(failing(b"1,2\n"), &CsvOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "the given bytes: the line went dead");
}

#[test]
fn labels_from_the_bytes_of_a_safetensors_file() {
    let scratch = Scratch::new();
    let ids: Vec<u8> = [3i32, 0, -100].iter().flat_map(|id| id.to_le_bytes()).collect();
    let halves = little_endian(&[1.0, 0.5]);
    let tensors = [
        ("ids", TensorView::new(Dtype::I32, vec![3], &ids).unwrap()),
        ("halves", TensorView::new(Dtype::F32, vec![2, 1], &halves).unwrap()),
        ("wide", TensorView::new(Dtype::F32, vec![1, 2], &halves).unwrap()),
    ];
    let bytes = safetensors::serialize(tensors, None).unwrap();
    assert_eq!(safetensors_labels(&bytes, "file", "ids").unwrap(), [3, 0, -100]);
    for tensor in ["ids", "halves", "wide", "none"] {
        for length in [bytes.len(), bytes.len() - 1, 9, 0] {
            let of_file = scratch.read(&bytes[..length], |path| read_safetensors_labels(path, tensor));
            let of_bytes = || safetensors_labels(&bytes[..length], "the given bytes", tensor);
            alike(of_file, [of_bytes(), of_bytes()]);
        }
    }
}
