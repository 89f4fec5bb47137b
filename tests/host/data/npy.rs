use std::error::Error as _;
use std::fs;

use ndarray::{Array2, array};
use wgpu_mlp::data::{npy_view, read_npy, read_npy_labels, write_npy};
use wgpu_mlp::{Device, Error, Mlp};

use super::Scratch;

/// A file with the header that `np.save` of NumPy 2.4 writes, and the data.
pub fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\x00\x76\x00", format!("{header:117}\n").as_bytes(), data].concat()
}

fn plain(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"), data)
}

#[test]
fn what_numpy_writes() {
    let scratch = Scratch::new();
    let read = |bytes: &[u8]| scratch.read(bytes, read_npy).unwrap();
    let want = array![[1.5, -2.0, 3.0], [4.0, 5.0, 6.25]];
    let f4 = b"\0\0\xc0\x3f\0\0\0\xc0\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40\0\0\xc8\x40";
    assert_eq!(read(&plain("<f4", "(2, 3)", f4)), want);
    let f4 = b"\0\0\xc0\x3f\0\0\x80\x40\0\0\0\xc0\0\0\xa0\x40\0\0\x40\x40\0\0\xc8\x40";
    assert_eq!(read(&npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", f4)), want);
    let f8 = b"\x3f\xf8\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0\x40\x08\0\0\0\0\0\0\
               \x40\x10\0\0\0\0\0\0\x40\x14\0\0\0\0\0\0\x40\x19\0\0\0\0\0\0";
    assert_eq!(read(&plain(">f8", "(2, 3)", f8)), want);
    assert_eq!(read(&plain("<i2", "(1, 3)", b"\x01\0\xfe\xff\x03\0")), array![[1.0, -2.0, 3.0]]);
    assert_eq!(read(&plain("|u1", "(2, 1)", b"\x07\xf8")), array![[7.0], [248.0]]);
    assert_eq!(read(&plain("|b1", "(2,)", b"\x01\0")), array![[1.0], [0.0]]);
    assert_eq!(read(&plain("<f4", "(0, 3)", b"")).dim(), (0, 3));
}

#[test]
fn each_type_in_each_byte_order() {
    let scratch = Scratch::new();
    macro_rules! types {
        ($($name:literal $type:ty),*) => {$(
            let numbers: [$type; 4] = [0 as $type, 1 as $type, 100 as $type, <$type>::MIN];
            for (order, bytes) in [('<', numbers.map(<$type>::to_le_bytes)), ('>', numbers.map(<$type>::to_be_bytes))] {
                let bytes = plain(&format!("{order}{}", $name), "(2, 2)", bytes.as_flattened());
                let want = numbers.map(|number| number as f32);
                let array = scratch.read(&bytes, read_npy).unwrap();
                assert_eq!(array.as_slice(), Some(&want[..]), "{order}{}", $name);
            }
        )*};
    }
    types!("f4" f32, "f8" f64, "i1" i8, "i2" i16, "i4" i32, "i8" i64, "u1" u8, "u2" u16, "u4" u32, "u8" u64);
}

#[test]
fn headers_of_all_versions() {
    let scratch = Scratch::new();
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2)}\n";
    for version in [2, 3] {
        let start = [b"\x93NUMPY", &[version, 0][..], &(header.len() as u32).to_le_bytes()].concat();
        let bytes = [&start, header.as_bytes(), &[5, 6]].concat();
        assert_eq!(scratch.read(&bytes, read_npy).unwrap(), array![[5.0, 6.0]]);
    }
    // Header lengths whose bytes are brackets.
    for length in [usize::from(b'['), usize::from(b'{'), 0x5b7b] {
        let header = format!("{:1$}\n", header.trim_end(), length - 1);
        let start = [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..]].concat();
        let read = scratch.read(&[&start, header.as_bytes(), &[5, 6]].concat(), read_npy);
        // NumPy's own limit is 10,000 bytes.
        assert_eq!(read.ok(), (length < 10_000).then(|| array![[5.0, 6.0]]), "{length}");
    }
}

#[test]
fn labels() {
    let scratch = Scratch::new();
    let read = |bytes: &[u8]| scratch.read(bytes, read_npy_labels).unwrap();
    let i8 = b"\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(read(&plain("<i8", "(3,)", i8)), [3, 0, -1]);
    assert_eq!(read(&plain(">u2", "(2, 1)", b"\x01\x02\x03\x04")), [0x102, 0x304]);
    assert_eq!(read(&plain("|i1", "(2,)", b"\x80\x7f")), [-128, 127]);
    assert_eq!(read(&plain("|b1", "(2,)", b"\x00\x01")), [0, 1]);

    let refused = |bytes: &[u8], words: &str| scratch.refused(bytes, read_npy_labels, words);
    let column =
        "labels must have one dimension, or one column; of one-hot rows in NumPy: labels.argmax(axis=1); got 1x3";
    refused(&plain("|u1", "(1, 3)", &[0; 3]), column);
    let most = "labels must be at most 9223372036854775807; got 9223372036854775808 in row 1";
    refused(&plain(">u8", "(2,)", &[&[0; 8][..], &[0x80, 0, 0, 0, 0, 0, 0, 0]].concat()), most);
}

#[test]
fn labels_that_are_floats() {
    let scratch = Scratch::new();
    let floats = |values: &[f64]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
        plain(">f8", &format!("({},)", values.len()), &bytes)
    };
    let read = |bytes: &[u8]| scratch.read(bytes, read_npy_labels).unwrap();
    let least = -9_223_372_036_854_775_808.0;
    assert_eq!(read(&floats(&[3.0, -0.0, least, 1e15])), [3, 0, i64::MIN, 1_000_000_000_000_000]);
    assert_eq!(read(&plain("<f4", "(2, 1)", b"\0\0\x40\x40\0\0\x80\xbf")), [3, -1]);
    assert_eq!(read(&plain("<f2", "(2,)", b"\0\x42\0\xbc")), [3, -1]);
    assert_eq!(read(&plain("|V2", "(2,)", b"\x40\x40\x80\xbf")), [3, -1]);

    let refused = |values: &[f64], words: &str| scratch.refused(&floats(values), read_npy_labels, words);
    refused(&[1.0, 2.5, 0.1], "labels must be whole numbers; got 2.5 in row 1");
    refused(&[1.0, f64::NAN], "labels must be whole numbers; got NaN in row 1");
    refused(&[f64::NEG_INFINITY], "labels must be whole numbers; got -inf in row 0");
    refused(&[-least], "labels must be at most 9223372036854775807; got 9.223372036854776e18 in row 0");
    refused(&[-1e19], "labels must be at least -9223372036854775808; got -1e19 in row 0");
    let column =
        "labels must have one dimension, or one column; of one-hot rows in NumPy: labels.argmax(axis=1); got 1x3";
    scratch.refused(&plain("<f4", "(1, 3)", &[0; 12]), read_npy_labels, column);
}

#[test]
fn what_is_written_comes_back() {
    let scratch = Scratch::new();
    let odd = [0.0, -0.0, 1e-45, f32::MAX, f32::INFINITY, f32::NEG_INFINITY];
    let array = Array2::from_shape_fn((7, 6), |(row, col)| odd[(row + col) % 6]);
    write_npy(&scratch.path, array.view()).unwrap();
    let bits = |array: &Array2<f32>| -> Vec<u32> { array.iter().map(|value| value.to_bits()).collect() };
    assert_eq!(bits(&read_npy(&scratch.path).unwrap()), bits(&array));
    // The order in memory does not matter.
    for view in [array.t(), array.slice(ndarray::s![..;2, ..;-1]), array.slice(ndarray::s![..0, ..])] {
        write_npy(&scratch.path, view).unwrap();
        assert_eq!(read_npy(&scratch.path).unwrap(), view);
    }
    // More than one chunk, and a last one that is not full.
    let large = Array2::from_shape_fn((1013, 307), |(row, col)| (row * 307 + col) as f32);
    write_npy(&scratch.path, large.view()).unwrap();
    assert_eq!(read_npy(&scratch.path).unwrap(), large);
    let fortran = large.t();
    write_npy(&scratch.path, fortran).unwrap();
    assert_eq!(read_npy(&scratch.path).unwrap(), fortran);
    assert_eq!(fs::read_dir(scratch.path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_failing_write_leaves_the_old_file() {
    let scratch = Scratch::new();
    let dir = scratch.path.parent().unwrap();
    let array = array![[1.0, 2.0]];
    write_npy(&scratch.path, array.view()).unwrap();
    let folder = dir.join("folder");
    fs::create_dir(&folder).unwrap();
    for bad in [dir.join("missing/file.npy"), scratch.path.join("below-a-file"), folder, "".into()] {
        let error = write_npy(&bad, Array2::ones((9, 9)).view()).unwrap_err();
        assert!(matches!(&error, Error::File { path, .. } if *path == bad), "{error:?}");
    }
    assert_eq!(read_npy(&scratch.path).unwrap(), array);
    assert_eq!(fs::read_dir(dir).unwrap().count(), 2);
}

#[test]
fn headers_that_cannot_be() {
    let scratch = Scratch::new();
    let refused = |bytes: &[u8], words: &str| {
        let error = scratch.refused(bytes, read_npy, words);
        assert_eq!(
            scratch.refused(bytes, |path| npy_view(bytes, path).map(drop), words).to_string(),
            error.to_string()
        );
        error
    };
    let error = refused(b"", "not a .npy file: start does not match magic string");
    assert!(matches!(error, Error::Format { .. }) && error.source().is_some());
    let archive = "the file must be one array; np.save writes each array of an archive to a file of its own; got";
    refused(b"PK\x03\x04\x14\0\0\0\x08\0x.npy", &format!("{archive} a zip archive, as np.savez writes it"));
    refused(b"\x93NUMPY\x09\x00\x76\x00....", "not a .npy file: unknown version number: 9.0");
    refused(b"\x93NUMPY\x01", "the file must hold its whole header; got 7 bytes");
    refused(b"\x93NUMPY\x01\0\x76\0{'descr'", "the file must hold its whole header; got 18 bytes");
    let most = "the header must have at most 10000 bytes, as in NumPy; got ";
    refused(b"\x93NUMPY\x02\0\xff\xff\xff\xff", &format!("{most}4294967307 bytes"));
    let brackets = "the header must describe one plain array: the type of its numbers, their order, the shape; got ";
    refused(&npy(&"{".repeat(117), b""), &format!("{brackets}117 brackets"));
    refused(
        &npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", b""),
        &format!("{brackets}4 brackets"),
    );

    let types =
        "the numbers must be f2, f4, f8, bfloat16, i1 to i8, u1 to u8 or b1; in NumPy: array.astype('<f4'); got ";
    for descr in ["<f3", "|f2", "<V4", "<c8", "|O", "<i3", "f4", "|f4", "<b2", "<f44", ""] {
        refused(&plain(descr, "(1, 1)", &[0; 4]), &format!("{types}{descr}"));
    }
    refused(&npy("{'descr': 4, 'fortran_order': False, 'shape': (1,)}", b""), &format!("{types}no plain type"));
    let texts = "texts must be numbered first; in NumPy: np.unique(array, return_inverse=True)[1]; got ";
    for descr in ["<U3", ">U10", "|S3"] {
        refused(&plain(descr, "(1, 1)", &[0; 4]), &format!("{texts}{descr}"));
    }
}

#[test]
fn shapes_and_lengths_that_lie() {
    let scratch = Scratch::new();
    let refused = |bytes: &[u8], words: &str| {
        scratch.refused(bytes, read_npy, words);
        scratch.refused(bytes, |path| npy_view(bytes, path).map(drop), words);
    };
    let length = "the data must be as long as the header says; got";
    refused(&plain("<f4", "(2, 2)", &[0; 15]), &format!("{length} 15 bytes where 2x2 needs 16"));
    refused(&plain("<f4", "(2, 2)", &[0; 17]), &format!("{length} 17 bytes where 2x2 needs 16"));
    refused(
        &plain("<f4", "(1048576, 1048576)", &[0; 4]),
        &format!("{length} 4 bytes where 1048576x1048576 needs 4398046511104"),
    );
    refused(&plain("|u1", "(0, 3)", &[0; 1]), &format!("{length} 1 bytes where 0x3 needs 0"));
    refused(&plain("<f4", "()", &[0; 4]), "the array must have an axis for its rows; got shape []");
    refused(&plain("|u1", "(2, 1, 1, 3)", &[0; 7]), &format!("{length} 7 bytes where 2x3 needs 6"));
    let memory = "the array must fit into this machine's memory; got";
    for (shape, found) in [
        ("(1099511627776, 1099511627776)", "[1099511627776, 1099511627776]"),
        ("(9223372036854775807, 2)", "[9223372036854775807, 2]"),
        ("(0, 9223372036854775807)", "[0, 9223372036854775807]"),
        ("(2, 4294967296, 4294967296)", "[2, 4294967296, 4294967296]"),
        ("(0, 4294967296, 4294967296, 4294967296)", "[0, 4294967296, 4294967296, 4294967296]"),
        ("(18446744073709551615,)", "[18446744073709551615]"),
    ] {
        refused(&plain("<f4", shape, &[0; 4]), &format!("{memory} shape {found}"));
    }
    for shape in ["(-1, 4)", "(18446744073709551616,)", "(1.0, 4)", "7", "[4]", "(True,)"] {
        let error = scratch.read(&plain("<f4", shape, &[0; 4]), read_npy).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{shape}: {error:?}");
        assert!(error.to_string().contains("illegal value for key shape: "), "{shape}: {error}");
    }
}

#[test]
fn what_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("missing"), dir.path().into(), "".into(), "\0".into()] {
        assert!(matches!(read_npy(&path), Err(Error::File { path: named, .. }) if named == path));
        assert!(matches!(read_npy_labels(&path), Err(Error::File { path: named, .. }) if named == path));
    }
    for device in ["/dev/null", "/dev/zero"] {
        if fs::metadata(device).is_ok() {
            assert!(matches!(read_npy(device), Err(Error::Format { .. })), "{device}");
        }
    }
}

/// The bytes at an address that is this many bytes after one divisible by 64.
fn aligned(bytes: &[u8], behind: usize, view: impl FnOnce(&[u8])) {
    let mut room = vec![0; bytes.len() + 128];
    let start = room.as_ptr().align_offset(64) + behind;
    room[start..start + bytes.len()].copy_from_slice(bytes);
    view(&room[start..start + bytes.len()]);
}

#[test]
fn views() {
    let native = if cfg!(target_endian = "big") { ">f4" } else { "<f4" };
    let data: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|value| value.to_ne_bytes()).collect();
    let bytes = plain(native, "(2, 3)", &data);
    aligned(&bytes, 0, |bytes| {
        let view = npy_view(bytes, "mapped.npy").unwrap();
        assert_eq!(view, array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(view.as_ptr().cast(), &raw const bytes[128], "a copy");
    });
    aligned(&plain(native, "(6,)", &data), 0, |bytes| assert_eq!(npy_view(bytes, "mapped.npy").unwrap().dim(), (6, 1)));
    let refused = |bytes: &[u8], behind: usize, words: &str| {
        aligned(bytes, behind, |bytes| {
            let error = npy_view(bytes, "mapped.npy").unwrap_err();
            assert!(matches!(&error, Error::Data { path, .. } if path.ends_with("mapped.npy")), "{error:?}");
            assert!(error.to_string().starts_with(&format!("mapped.npy: {words}; got ")), "{error}");
        });
    };
    refused(&bytes, 1, "a view needs data at an address divisible by four; npy_rows reads any");
    let order = "a view needs f32 in this machine's byte order; npy_rows reads numbers of all types";
    refused(&plain(if native == "<f4" { ">f4" } else { "<f4" }, "(2, 3)", &data), 0, order);
    refused(&plain("<f8", "(1, 3)", &data), 0, order);
    refused(&plain("<i4", "(2, 3)", &data), 0, order);
    let fortran = npy(&format!("{{'descr': '{native}', 'fortran_order': True, 'shape': (2, 3), }}"), &data);
    refused(&fortran, 0, "a view needs C order; npy_rows reads both orders");
}

#[test]
fn a_model_predicts_from_a_mapped_file() {
    let scratch = Scratch::new();
    let x = Array2::from_shape_fn((5000, 11), |(row, col)| ((row * 11 + col) as f32).sin());
    write_npy(&scratch.path, x.view()).unwrap();
    let file = fs::File::open(&scratch.path).unwrap();
    #[allow(unsafe_code, reason = "mapping a file is; nobody else knows this one")]
    let bytes = unsafe { memmap2::Mmap::map(&file) }.unwrap();
    let view = npy_view(&bytes, &scratch.path).unwrap();
    let model = Mlp::new(&Device::cpu(), &[11, 16, 5], 3).unwrap();
    let classes = model.predict(view).unwrap();
    assert_eq!(classes, model.predict(x.view()).unwrap());
    assert!(classes.iter().any(|class| *class != classes[0]), "a model that tells nothing apart");
    assert_eq!(model.predict_proba(view).unwrap(), model.predict_proba(x.view()).unwrap());
}
