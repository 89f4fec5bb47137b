//! Model files that were cut short, changed, or made with false claims: there is never a panic or a huge allocation, and always
//! an error with the file's name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use safetensors::SafeTensorError;
use tempfile::{TempDir, tempdir};
use wgpu_mlp::{Device, Error, FitOptions, FormatError, Mlp, Trainer};

/// The bytes of a model that can be loaded.
fn whole() -> Vec<u8> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let save = || {
        let dir = tempdir().unwrap();
        let path = dir.path().join("whole.safetensors");
        Mlp::new(&Device::cpu(), &[5, 4, 3], 1).unwrap().save(&path).unwrap();
        fs::read(path).unwrap()
    };
    BYTES.get_or_init(save).clone()
}

/// Loads a file with these bytes; any error must name the file and be an error of a file.
fn load(dir: &TempDir, bytes: &[u8]) -> Result<Mlp, Error> {
    let path = dir.path().join("tried.safetensors");
    fs::write(&path, bytes).unwrap();
    Mlp::load(&Device::cpu(), &path).inspect_err(|error| {
        assert!(matches!(error, Error::Format { .. } | Error::Model { .. }), "{error:?}");
        let words = error.to_string();
        assert!(words.starts_with(&format!("{}: ", path.display())), "no file in {words:?}");
    })
}

/// A file with this header and that many zeros behind it.
fn file(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

/// The entry of one tensor in a header.
fn tensor(name: &str, dtype: &str, shape: &str, start: u64, end: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
}

#[track_caller]
fn refused(dir: &TempDir, tensors: &[String], data: usize, words: &str) {
    let error = load(dir, &file(&format!("{{{}}}", tensors.join(",")), data)).expect_err("no model");
    assert!(matches!(error, Error::Format { .. }), "{error:?}");
    assert!(error.to_string().contains(words), "{words:?} is not in {error}");
}

#[test]
fn files_cut_short_and_files_changed() {
    let dir = tempdir().unwrap();
    let bytes = whole();
    assert!(load(&dir, &bytes).is_ok());
    for length in 0..bytes.len() {
        let error = load(&dir, &bytes[..length]).expect_err("a file cut short");
        assert!(matches!(error, Error::Format { .. }), "{length} bytes: {error:?}");
    }
    assert!(matches!(load(&dir, &[&bytes[..], &[0]].concat()), Err(Error::Format { .. })));
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for position in 0..header {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[position] ^= 1 << bit;
            let _ = load(&dir, &changed);
        }
    }
}

#[test]
fn headers_that_lie() {
    let dir = tempdir().unwrap();
    let one = |shape: &str, offsets: &str| {
        format!(r#"{{"0.weight":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let mut random: Vec<u8> = (0..997u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for bytes in [
        vec![],
        vec![0; 8],
        vec![0xff; 64],
        random.clone(),
        file("", 0),
        file("[]", 0),
        file("{", 0),
        file("\u{0}", 4),
        file(&one("[2,2]", "[0,16]"), 12),
        file(&one("[2,2]", "[0,16]"), 20),
        file(&one("[2,2]", "[0,12]"), 12),
        file(&one("[2,2]", "[16,0]"), 16),
        file(&one("[2,2]", "[4,20]"), 20),
        file(&one("[2,-2]", "[0,16]"), 16),
        file(&one("[18446744073709551615,2]", "[0,16]"), 16),
        file(&one("[4611686018427387904,4]", "[0,0]"), 0),
        file(&one("[2305843009213693952,1]", "[0,18446744073709551615]"), 16),
    ] {
        let error = load(&dir, &bytes).expect_err("no model");
        assert!(matches!(error, Error::Format { .. }), "{error:?}");
        assert!(error.to_string().contains(": not a safetensors file: "), "{error}");
    }
    random.splice(..8, 5u64.to_le_bytes());
    assert!(matches!(load(&dir, &random), Err(Error::Format { .. })));
}

/// Eight tensors of about 2^61 bytes: the sum of their sizes and the header's length is beyond u64.
#[test]
fn sizes_that_overflow() {
    let dir = tempdir().unwrap();
    let chain = |size: u64, count: u64| -> Vec<String> {
        let place = |i| (i * size, ((i + 1) * size));
        (0..count).map(|i| tensor(&format!("{i}.weight"), "U8", &format!("[{size}]"), place(i).0, place(i).1)).collect()
    };
    for data in [0, 16, 1000] {
        refused(&dir, &chain((1 << 61) - 1, 8), data, "incomplete metadata, file not fully covered");
        refused(&dir, &chain(1 << 61, 7), data, "overflow computing buffer size from shape and/or element type");
        refused(&dir, &chain(1 << 60, 15), data, "incomplete metadata, file not fully covered");
    }
    let last = tensor("7.weight", "U8", "[2305843009213693952]", 7 << 61, u64::MAX);
    refused(&dir, &[chain(1 << 61, 7), vec![last]].concat(), 16, "overflow");
}

#[test]
fn names_and_types_that_cannot_be() {
    let dir = tempdir().unwrap();
    let (weight, bias) = (tensor("0.weight", "F32", "[1,2]", 0, 8), tensor("0.bias", "F32", "[1]", 8, 12));
    assert!(load(&dir, &file(&format!("{{{weight},{bias}}}"), 12)).is_ok());
    let again = tensor("0.weight", "F32", "[2,1]", 0, 8);
    refused(&dir, &[weight.clone(), bias.clone(), again], 12, "the name `0.weight` stands there twice");
    let spelt = tensor(r"0.weigh\u0074", "F32", "[1,2]", 12, 20);
    refused(&dir, &[weight.clone(), bias.clone(), spelt], 20, "the name `0.weight` stands there twice");
    let metadata = r#""__metadata__":{"format":"pt"}"#.to_owned();
    refused(&dir, &[metadata.clone(), metadata], 0, "the name `__metadata__` stands there twice");
    refused(&dir, &[weight.clone(), tensor("0.bias", "F31", "[1]", 8, 12)], 12, "unknown variant `F31`");
    refused(&dir, &[weight, tensor("0.bias", "F32", "[1099511627776,1099511627776]", 8, 12)], 12, "overflow");
    refused(&dir, &[bias], 12, "invalid offset for tensor `0.bias`");
    refused(&dir, &["[".repeat(100_000)], 0, "invalid JSON in header");
    refused(&dir, &[format!(r#""a":{}"#, "[".repeat(100_000))], 0, "invalid JSON in header");
}

/// A file of a tebibyte (a sparse file) is refused because of its header, and is not read.
#[cfg(target_os = "linux")]
#[test]
fn large_files_are_not_read() {
    use std::io::Write;
    let dir = tempdir().unwrap();
    let path = dir.path().join("large.safetensors");
    let size: u64 = 1 << 40;
    let shape = format!("[1048576,{}]", size >> 22);
    let stranger = file(&format!("{{{}}}", tensor("embedding", "F32", &shape, 0, size)), 0);
    for (start, whole) in
        [(&b""[..], size), (&[0xff; 64], size), (&stranger, size), (&stranger, size + stranger.len() as u64)]
    {
        let mut sparse = File::create(&path).unwrap();
        sparse.write_all(start).unwrap();
        sparse.set_len(whole).unwrap();
        let error = Mlp::load(&Device::cpu(), &path).unwrap_err();
        assert!(matches!(error, Error::Format { .. } | Error::Model { .. }), "{error:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn devices_and_pipes() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    for (path, words) in [("/dev/null", "header too small"), ("/dev/zero", "invalid JSON in header")] {
        let error = Mlp::load(&Device::cpu(), path).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let bytes = whole();
    let piped = |bytes: &[u8]| {
        let (read, mut write) = std::io::pipe().unwrap();
        write.write_all(bytes).unwrap();
        drop(write);
        Mlp::load(&Device::cpu(), PathBuf::from(format!("/proc/self/fd/{}", read.as_raw_fd())))
    };
    assert_eq!(piped(&bytes).unwrap().classes(), 3);
    for bytes in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat()] {
        let error = piped(bytes).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Format { source: FormatError::Safetensors(SafeTensorError::MetadataIncompleteBuffer), .. }
            ),
            "{error:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_no_meaning(bytes in vec(any::<u8>(), 0..300), header in 0..300u64) {
        let dir = tempdir().unwrap();
        let _ = load(&dir, &bytes);
        prop_assert!(load(&dir, &[&header.to_le_bytes()[..], &bytes].concat()).is_err());
    }

    #[test]
    fn headers_with_a_part_changed(
        place in any::<Index>(),
        cut in any::<Index>(),
        text in "[-0-9a-zA-Z{}\\[\\]\":,. ]{0,20}",
    ) {
        let dir = tempdir().unwrap();
        let bytes = whole();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let place = 8 + place.index(length);
        let behind = place + cut.index((8 + length - place).min(20));
        let header = [&bytes[8..place], text.as_bytes(), &bytes[behind..8 + length]].concat();
        let _ = load(&dir, &[&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + length..]].concat());
    }

    #[test]
    fn files_with_bytes_changed(places in vec((any::<Index>(), any::<u8>()), 1..4)) {
        let dir = tempdir().unwrap();
        let mut bytes = whole();
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = load(&dir, &bytes);
    }
}

/// Otherwise another model would be loaded, which ends with the layer before the gap.
#[test]
fn a_checkpoint_that_lacks_a_layer() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("run.checkpoint");
    let (x, labels) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    let mut model = Mlp::new(&Device::cpu(), &[1, 3, 2], 0).unwrap();
    Trainer::new(&FitOptions::default()).checkpoint(&path).fit(&mut model, x.view(), &labels).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    assert_eq!(load(&dir, &bytes).unwrap().classes(), 2);
    let (old, new) = (b"\"model.1.", b"\"model.2.");
    let places: Vec<_> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(old)).collect();
    assert_eq!(places.len(), 2, "weights and biases");
    places.into_iter().for_each(|place| bytes[place..place + old.len()].copy_from_slice(new));
    let error = load(&dir, &bytes).unwrap_err();
    assert!(matches!(&error, Error::Model { tensor, .. } if tensor == "model.2.biases"), "{error}");
    // A training of a model with one layer would continue with a part of it.
    fs::write(&path, &bytes).unwrap();
    let mut shallow = Mlp::new(&Device::cpu(), &[1, 3], 0).unwrap();
    let options = FitOptions { epochs: 2, ..Default::default() };
    let trainer = Trainer::new(&options).checkpoint(&path).resume();
    let error = trainer.fit(&mut shallow, x.view(), &labels).unwrap_err();
    assert!(matches!(&error, Error::Model { tensor, .. } if tensor == "model.2.biases"), "{error}");
}

/// Counts that no training reaches, and numbers that are not counts, in the tensors from which a training continues.
#[test]
fn checkpoints_whose_counts_make_no_sense() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("run.checkpoint");
    let (x, labels) = (ndarray::array![[0.0], [1.0], [0.5], [0.2]], [0u8, 1, 1, 0]);
    let resume = || {
        let options = FitOptions { epochs: 3, ..Default::default() };
        let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
        Trainer::new(&options).checkpoint(&path).resume().fit(&mut model, x.view(), &labels)
    };
    assert_eq!(resume().unwrap().epochs.len(), 3);
    let bytes = fs::read(&path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let tensors: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let place = |name: &str| 8 + header + tensors[name]["data_offsets"][0].as_u64().unwrap() as usize;
    // The tensors that hold counts: the step, epochs waited and the best epoch; steps, epochs, stale epochs and reductions;
    // rows.
    let counts: [(&str, &[usize]); 3] = [("run", &[5, 6, 7]), ("schedule", &[0, 1, 3, 4]), ("history", &[6, 7, 15])];
    for (name, numbers) in counts {
        for (number, bad) in numbers.iter().flat_map(|number| [1e300, -2.0, 0.5, f64::NAN].map(|bad| (number, bad))) {
            let mut changed = bytes.clone();
            changed[place(name) + 8 * number..][..8].copy_from_slice(&bad.to_le_bytes());
            fs::write(&path, &changed).unwrap();
            let error = resume().unwrap_err();
            assert!(matches!(&error, Error::Model { tensor, .. } if tensor == name), "{name} {number} {bad}: {error}");
        }
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(resume().unwrap().epochs.len(), 3);
}
