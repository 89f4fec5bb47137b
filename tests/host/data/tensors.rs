//! Tensors of safetensors files as sources of rows and as labels.

use std::fs;

use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use wgpu_mlp::Error;
use wgpu_mlp::data::{open_safetensors, read_safetensors_labels, safetensors_rows};
use wgpu_mlp::source::RowSource;

use super::Scratch;
use super::sources::{all_rows, numbers, rows_of, same_rows};

/// A tensor's name, type, shape and bytes.
type Tensor<'a> = (&'a str, Dtype, &'a [usize], &'a [u8]);

/// A file with these tensors.
fn file(tensors: &[Tensor<'_>]) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name.to_string(), TensorView::new(*dtype, shape.to_vec(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

const TYPES: [(Dtype, char, usize); 13] = [
    (Dtype::F16, 'f', 2),
    (Dtype::F32, 'f', 4),
    (Dtype::F64, 'f', 8),
    (Dtype::BF16, 'V', 2),
    (Dtype::I8, 'i', 1),
    (Dtype::I16, 'i', 2),
    (Dtype::I32, 'i', 4),
    (Dtype::I64, 'i', 8),
    (Dtype::U8, 'u', 1),
    (Dtype::U16, 'u', 2),
    (Dtype::U32, 'u', 4),
    (Dtype::U64, 'u', 8),
    (Dtype::BOOL, 'b', 1),
];

#[test]
fn each_type_at_each_address() {
    let scratch = Scratch::new();
    for (dtype, kind, size) in TYPES {
        let (data, want) = numbers(kind, size, false, false, (139, 5));
        let (column, column_want) = numbers(kind, size, false, false, (10, 1));
        let tensors = [
            ("before", Dtype::U8, &[3][..], &[7; 3][..]),
            ("x", dtype, &[139, 5], &data),
            ("y", dtype, &[10], &column),
        ];
        let bytes = file(&tensors);
        fs::write(&scratch.path, &bytes).unwrap();
        let name = dtype.to_string();
        for (tensor, want) in [("x", &want), ("y", &column_want)] {
            let opened = open_safetensors(&scratch.path, tensor).unwrap();
            assert!(!opened.is_in_memory() && opened.as_values().is_none());
            same_rows(&opened, want, &name);
            for behind in 0..8 {
                let moved = [&vec![0; behind][..], &bytes].concat();
                let rows = safetensors_rows(&moved[behind..], "mapped", tensor).unwrap();
                assert!(rows.is_in_memory());
                same_rows(&rows, want, &name);
            }
        }
    }
}

#[test]
fn images_become_rows() {
    let scratch = Scratch::new();
    let (data, want) = numbers('u', 1, false, false, (10, 12));
    let bytes = file(&[("x", Dtype::U8, &[10, 1, 3, 4], &data)]);
    fs::write(&scratch.path, &bytes).unwrap();
    same_rows(&open_safetensors(&scratch.path, "x").unwrap(), &want, "opened");
    same_rows(&safetensors_rows(&bytes, "mapped", "x").unwrap(), &want, "mapped");
}

#[test]
fn values_that_lie_ready() {
    let bytes = file(&[("x", Dtype::F32, &[2, 2], &[1.0f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat())]);
    let mut room = vec![0; bytes.len() + 8];
    let start = room.as_ptr().align_offset(8);
    for behind in 0..4 {
        let place = start + behind..start + behind + bytes.len();
        room[place.clone()].copy_from_slice(&bytes);
        let rows = safetensors_rows(&room[place], "mapped", "x").unwrap();
        let ready = cfg!(target_endian = "little") && behind == 0;
        assert_eq!(rows.as_values(), ready.then_some(&[1.0, 2.0, 3.0, 4.0][..]));
    }
}

#[test]
fn labels() {
    let scratch = Scratch::new();
    let long = [3i64, i64::MIN, i64::MAX].map(i64::to_le_bytes).concat();
    let tensors: [Tensor<'_>; 8] = [
        ("i64", Dtype::I64, &[3], &long),
        ("column", Dtype::I16, &[2, 1], &[1, 0, 0xff, 0xff]),
        ("bool", Dtype::BOOL, &[3], &[1, 0, 1]),
        ("f16", Dtype::F16, &[2], &[0, 0x42, 0, 0xbc]),
        ("bf16", Dtype::BF16, &[2], &[0x40, 0x40, 0x80, 0xbf]),
        ("half", Dtype::F32, &[2], &[1.0f32, 1.5].map(f32::to_le_bytes).concat()),
        ("u64", Dtype::U64, &[2], &[1, 1 << 63].map(u64::to_le_bytes).concat()),
        ("wide", Dtype::U8, &[1, 2], &[0; 2]),
    ];
    fs::write(&scratch.path, file(&tensors)).unwrap();
    let read = |tensor: &str| read_safetensors_labels(&scratch.path, tensor);
    assert_eq!(read("i64").unwrap(), [3, i64::MIN, i64::MAX]);
    assert_eq!(read("column").unwrap(), [1, -1]);
    assert_eq!(read("bool").unwrap(), [1, 0, 1]);
    assert_eq!(read("f16").unwrap(), [3, -1]);
    assert_eq!(read("bf16").unwrap(), [3, -1]);
    let refused = |tensor: &str, words: &str| {
        assert_eq!(read(tensor).unwrap_err().to_string(), format!("{}: {words}", scratch.path.display()));
    };
    refused("half", "labels must be whole numbers; got 1.5 in row 1");
    refused("u64", "labels must be at most 9223372036854775807; got 9223372036854775808 in row 1");
    let hot = "labels must have one dimension, or one column; of one-hot rows in NumPy: labels.argmax(axis=1); got 1x2";
    refused("wide", hot);
    // More values than are read at a time.
    let many: Vec<i32> = (0..200_000).collect();
    let bytes: Vec<u8> = many.iter().flat_map(|label| label.to_le_bytes()).collect();
    fs::write(&scratch.path, file(&[("many", Dtype::I32, &[200_000], &bytes)])).unwrap();
    assert!(read("many").unwrap().into_iter().eq(many.into_iter().map(i64::from)));
}

#[test]
fn tensors_that_cannot_be_rows() {
    let scratch = Scratch::new();
    let refused = |bytes: &[u8], tensor: &str, words: &str| {
        scratch.refused(bytes, |path| open_safetensors(path, tensor), words);
        scratch.refused(bytes, |path| read_safetensors_labels(path, tensor), words);
        let error = safetensors_rows(bytes, &scratch.path, tensor).unwrap_err();
        assert!(matches!(error, Error::Data { .. } | Error::Format { .. }));
        assert_eq!(error.to_string(), format!("{}: {words}", scratch.path.display()));
    };
    let names: Vec<String> = (0..12).map(|index| format!("layer {index:02}")).collect();
    let many: Vec<Tensor<'_>> = names.iter().map(|name| (name.as_str(), Dtype::U8, &[1][..], &[0][..])).collect();
    let missing = "the file must have the tensor; got no ";
    let listed = names[..8].iter().map(|name| format!("{name:?}, ")).collect::<String>();
    refused(&file(&many), "x", &format!("{missing}\"x\" among {listed}4 more"));
    refused(&file(&many[..2]), "", &format!("{missing}\"\" among \"layer 00\", \"layer 01\""));
    refused(&file(&[]), "x", &format!("{missing}\"x\" among none"));
    let long = "x".repeat(1000);
    let named = file(&[(long.as_str(), Dtype::U8, &[1], &[0])]);
    refused(&named, "y", &format!("{missing}\"y\" among \"{}\" and more", "x".repeat(40)));

    let axis = "the array must have an axis for its rows; got shape []";
    refused(&file(&[("x", Dtype::U8, &[], &[0])]), "x", axis);
    let types = "the tensor must be of type F64, F32, F16, BF16, I64 to I8, U64 to U8, or BOOL; got ";
    refused(&file(&[("x", Dtype::F8_E4M3, &[1, 2], &[0; 2])]), "x", &format!("{types}F8_E4M3"));
    refused(&file(&[("x", Dtype::C64, &[1, 1], &[0; 8])]), "x", &format!("{types}C64"));
    let empty = "the array must fit into this machine's memory; got shape [0, 9223372036854775807]";
    refused(&file(&[("x", Dtype::U8, &[0, usize::MAX / 2], &[])]), "x", empty);
    let whole = file(&[("x", Dtype::U8, &[2, 2], &[0; 4])]);
    refused(&whole[..whole.len() - 1], "x", "not a safetensors file: incomplete metadata, file not fully covered");
    refused(&whole[..7], "x", "not a safetensors file: header too small");
    refused(b"\xff\xff\xff\xff\xff\xff\xff\xff{}", "x", "not a safetensors file: header too large");
    let rule =
        "the file must be in the safetensors format; in PyTorch: safetensors.torch.save_file(tensors, file); got";
    let archive = b"PK\x03\x04\0\0\x08\x08\0\0archive/data.pkl";
    refused(archive, "x", &format!("{rule} a zip archive, as torch.save writes it"));
    let missing = scratch.path.with_file_name("missing");
    assert!(matches!(open_safetensors(&missing, "x"), Err(Error::File { path, .. }) if path == missing));
    for shape in [[0, 3], [3, 0]] {
        let rows = scratch.read(&file(&[("x", Dtype::F16, &shape, &[])]), |path| open_safetensors(path, "x")).unwrap();
        assert_eq!((rows.dim(), all_rows(&rows)), ((shape[0], shape[1]), vec![]));
    }
}

/// Many tensors, for example one for each document: their header has some megabytes.
#[test]
fn tens_of_thousands_of_tensors() {
    let scratch = Scratch::new();
    let names: Vec<_> = (0..60_000).map(|document| format!("document-{document:05}-of-60000")).collect();
    let tensors: Vec<_> = names.iter().map(|name| (name.as_str(), Dtype::U8, &[1_usize, 1][..], &[7_u8][..])).collect();
    let rows = scratch.read(&file(&tensors), |path| open_safetensors(path, "document-59999-of-60000")).unwrap();
    assert_eq!(all_rows(&rows), [7.0]);
}

/// Rows of a tensor of a tebibyte (in a sparse file) are read without the rest.
#[cfg(target_os = "linux")]
#[test]
fn large_files_and_files_that_change() {
    use std::io::Write;
    let scratch = Scratch::new();
    let size: u64 = 1 << 40;
    let header = format!(r#"{{"x":{{"dtype":"F16","shape":[536870912,1024],"data_offsets":[0,{size}]}}}}"#);
    let mut sparse = fs::File::create(&scratch.path).unwrap();
    sparse.write_all(&[&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
    sparse.set_len(8 + header.len() as u64 + size).unwrap();
    let rows = open_safetensors(&scratch.path, "x").unwrap();
    assert_eq!(rows_of(&rows, &[536_870_911, 5]), [0.0; 2048]);
    sparse.set_len(size / 2).unwrap();
    let error = rows.read_rows(&[5, 536_870_911], &mut [0.0; 2048]).unwrap_err();
    assert_eq!(error.row, 536_870_911);
    assert!(matches!(error.source.downcast_ref(), Some(Error::Data { .. })));
}
