//! The data: made once and written row by row, so that never more than one row is in memory.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use memmap2::Mmap;
use ndarray::Array2;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::source::half::f16;

use crate::Failure;

/// How far apart two classes' centres are on average, in standard deviations of the noise.
const DISTANCE: f64 = 8.0;
/// A `.npy` header's length is a multiple of this, so that the data behind it are aligned.
const ALIGNMENT: usize = 64;

/// The type of the features' numbers.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dtype {
    F32,
    F16,
}

impl Dtype {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 => 2,
        }
    }

    fn write(self, value: f32, file: &mut impl Write) -> io::Result<()> {
        match self {
            Dtype::F32 => file.write_all(&value.to_le_bytes()),
            Dtype::F16 => file.write_all(&f16::from_f32(value).to_le_bytes()),
        }
    }
}

/// What the data are.
#[derive(Args)]
pub(crate) struct Wanted {
    /// Seed of the data, the first weights and the order of the batches
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Rows of the file; the last tenth is held out
    #[arg(long, default_value = "200000")]
    pub(crate) rows: NonZeroUsize,
    /// Numbers in a row
    #[arg(long, default_value = "768")]
    pub(crate) features: NonZeroUsize,
    /// Classes
    #[arg(long, default_value = "1000")]
    pub(crate) classes: NonZeroUsize,
    /// Type of the numbers in the file; f16 rounds them
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    pub(crate) dtype: Dtype,
    /// Files that the rows are divided among
    #[arg(long, default_value = "1")]
    pub(crate) shards: NonZeroUsize,
    /// Folder for the data
    #[arg(long, default_value = "target/head")]
    pub(crate) data: PathBuf,
}

/// The files of the data.
pub(crate) struct Files {
    /// Rows x features, `<f4` or `<f2`: the shards, in the order of the rows.
    pub(crate) features: Vec<PathBuf>,
    /// A class for each row, `<u4`.
    pub(crate) labels: PathBuf,
}

/// The files for these options, which are written if they are not there.
pub(crate) fn make_once(wanted: &Wanted, out: &mut impl Write) -> Result<Files, Failure> {
    let Wanted { rows, features, classes, seed, dtype, shards, data } = wanted;
    if rows.get() < 2 {
        return Err(Failure("--rows: at least 2, one to train on and one to hold out".into()));
    }
    if shards > rows {
        return Err(Failure("--shards: at most one for each row".into()));
    }
    let path = |what, shard| data.join(format!("{what}-{rows}x{features}-{classes}-seed-{seed}{shard}.npy"));
    let shard = |index: usize| match (dtype, shards.get()) {
        (Dtype::F32, 1) => String::new(),
        _ => format!("-{}-shard-{index}-of-{shards}", dtype.name()),
    };
    let features_files = (0..shards.get()).map(|index| path("features", shard(index))).collect();
    let files = Files { features: features_files, labels: path("labels", String::new()) };
    if files.features.iter().chain([&files.labels]).all(|file| file.exists()) {
        return Ok(files);
    }
    let megabytes = rows.get() as f64 * (dtype.bytes() * features.get() + 4) as f64 / 1e6;
    writeln!(out, "data    writing {megabytes:.0} MB to {}, once", data.display())?;
    fs::create_dir_all(data)?;
    write_files(wanted, &files)?;
    Ok(files)
}

/// A row is its class's centre plus N(0, 1) in each feature. A centre is N(0, s²) in each, which puts two of them
/// s √(2 features) apart.
fn write_files(wanted: &Wanted, files: &Files) -> Result<(), Failure> {
    let (rows, features, classes) = (wanted.rows.get(), wanted.features.get(), wanted.classes.get());
    let mut rng = ChaCha12Rng::seed_from_u64(wanted.seed);
    let normal = |spread: f32, rng: &mut ChaCha12Rng| -> f32 {
        let number: f32 = StandardNormal.sample(rng);
        spread * number
    };
    let spread = (DISTANCE / (2.0 * features as f64).sqrt()) as f32;
    let centres = Array2::from_shape_simple_fn((classes, features), || normal(spread, &mut rng));
    let labels: Vec<u32> = (0..rows).map(|_| rng.random_range(0..classes as u32)).collect();
    whole(&files.labels, |file| {
        file.write_all(&header("<u4", &format!("{rows},")))?;
        labels.iter().try_for_each(|label| file.write_all(&label.to_le_bytes()))
    })?;
    // Without shards the file has the same numbers in the same order.
    let shards = files.features.len();
    for (index, path) in files.features.iter().enumerate() {
        let labels = &labels[index * rows / shards..(index + 1) * rows / shards];
        whole(path, |file| {
            let numbers = if wanted.dtype == Dtype::F16 { "<f2" } else { "<f4" };
            file.write_all(&header(numbers, &format!("{}, {features}", labels.len())))?;
            for label in labels {
                for centre in centres.row(*label as usize) {
                    wanted.dtype.write(centre + normal(1.0, &mut rng), file)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The first bytes of a `.npy` file, version 1.0: magic, length, and a Python dictionary that spaces and a newline end.
fn header(numbers: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '{numbers}', 'fortran_order': False, 'shape': ({shape}), }}");
    let start = b"\x93NUMPY\x01\x00";
    let length = (start.len() + 2 + text.len() + 1).next_multiple_of(ALIGNMENT) - start.len() - 2;
    text.extend(std::iter::repeat_n(' ', length - 1 - text.len()));
    text.push('\n');
    [start, (length as u16).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

/// Writes a file under another name first, so that a run that is interrupted leaves no incomplete file under the right
/// name.
fn whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Failure> {
    let about = |error| Failure(format!("{}: {error}", path.display()));
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&unfinished).map_err(about)?);
    write(&mut file).and_then(|()| file.flush()).and_then(|()| fs::rename(&unfinished, path)).map_err(|error| {
        fs::remove_file(&unfinished).ok();
        about(error)
    })
}

/// A file mapped into memory. The system reads its bytes when they are used.
pub(crate) fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the file does not change while it is mapped: this program, or another rank of it, wrote it as a whole,
    // under another name first.
    #[allow(unsafe_code, reason = "memory-mapped files can be changed by others; see above")]
    unsafe {
        Mmap::map(&file)
    }
}
