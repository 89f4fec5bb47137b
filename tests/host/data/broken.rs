//! Files cut short, changed files, and random bytes: there is never a panic, always an array or an error with the file's name.

use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use wgpu_mlp::Error;
use wgpu_mlp::data::{
    Column, CsvOptions, npy_view, read_csv, read_csv_features, read_csv_shards, read_npy, read_npy_labels,
};

use super::Scratch;
use super::npy::npy;

const CASES: u32 = 3000;

/// For any bytes, each reader must give a table or an error that names the file.
fn try_all(scratch: &Scratch, bytes: &[u8]) {
    let named = CsvOptions { label: Column::Name("b".into()), ..Default::default() };
    let in_order = CsvOptions { features: vec!["b".into(), "a".into()], ..Default::default() };
    let readers: [&dyn Fn(PathBuf) -> Result<(), Error>; 9] = [
        &|path| read_npy(path).map(drop),
        &|path| read_npy_labels(path).map(drop),
        &|path| npy_view(bytes, path).map(drop),
        &|path| read_csv(path, &CsvOptions::default()).map(drop),
        &|path| read_csv(path, &named).map(drop),
        &|path| read_csv(path, &in_order).map(drop),
        &|path| read_csv_shards([&path, &path], &CsvOptions::default()).map(drop),
        &|path| read_csv_features(path, &CsvOptions::default()).map(drop),
        &|path| read_csv_features(path, &in_order).map(drop),
    ];
    std::fs::write(&scratch.path, bytes).unwrap();
    for read in readers {
        let Err(error) = read(scratch.path.clone()) else { continue };
        assert!(matches!(error, Error::Format { .. } | Error::Data { .. } | Error::Cell { .. }), "{error:?}");
        assert!(error.to_string().starts_with(&format!("{}: ", scratch.path.display())), "{error}");
    }
}

/// A valid file of each kind.
fn whole() -> impl Strategy<Value = Vec<u8>> {
    let array = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
    let labels = "{'descr': '>u8', 'fortran_order': True, 'shape': (6,), }";
    prop_oneof![
        Just(npy(array, &[7; 48])),
        Just(npy(labels, &[7; 48])),
        Just(b"a,b,c\n1,2,x\n3.5,-4,y\n\n5e6,\"7\",\"x\"\n".to_vec()),
        Just(b"1,2,0\r\n3,4,1\r\n".to_vec()),
    ]
}

/// Texts of the characters that headers and tables contain.
fn letters() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(b"{}()[],:'\"\\-+_.0123456789abefjlnrstuxNTF<>|=\n\r ;\xff".to_vec()), 0..117)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_no_meaning(bytes in vec(any::<u8>(), 0..300), start in 0..5usize) {
        let starts = [&b""[..], b"", b"\x01\0", b"\x02\0\x20\0\0\0", b"\x03\0\x10\0\0\0"];
        let magic = if start == 0 { &b""[..] } else { b"\x93NUMPY" };
        try_all(&Scratch::new(), &[magic, starts[start], &bytes].concat());
    }

    #[test]
    fn letters_of_no_meaning(text in letters(), data in vec(any::<u8>(), 0..20)) {
        let scratch = Scratch::new();
        try_all(&scratch, &text);
        let mut bytes = npy("", &data);
        bytes[10..10 + text.len()].copy_from_slice(&text);
        try_all(&scratch, &bytes);
    }

    #[test]
    fn a_header_with_a_part_of_no_meaning(text in letters(), part in 0..3usize) {
        let text = String::from_utf8_lossy(&text[..text.len().min(50)]).replace('\n', " ");
        let mut parts = ["'<f4'", "False", "(1, 1)"];
        parts[part] = &text;
        let header = format!("{{'descr': {}, 'fortran_order': {}, 'shape': {}}}", parts[0], parts[1], parts[2]);
        if header.len() <= 117 {
            try_all(&Scratch::new(), &npy(&header, &[0; 4]));
        }
    }

    #[test]
    fn files_cut_short(bytes in whole(), length in any::<prop::sample::Index>()) {
        try_all(&Scratch::new(), &bytes[..length.index(bytes.len())]);
    }

    #[test]
    fn files_with_a_byte_changed(bytes in whole(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = bytes;
        let place = place.index(bytes.len());
        bytes[place] = byte;
        try_all(&Scratch::new(), &bytes);
    }

    #[test]
    fn arrays_cut_short_are_never_read(length in 0..176usize) {
        let bytes = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", &[7; 48]);
        let scratch = Scratch::new();
        prop_assert!(scratch.read(&bytes[..length], read_npy).is_err());
        prop_assert!(scratch.read(&bytes, read_npy).is_ok());
    }
}
