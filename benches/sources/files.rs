//! The files: made once, block by block on all cores, so that no file is ever in memory as a whole.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread::{available_parallelism, scope};

use clap::ValueEnum;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::source::half::f16;

use crate::Outcome;

/// Numbers in a row: those of a picture of 28 x 28.
pub(crate) const COLUMNS: usize = 784;
pub(crate) const CLASSES: u8 = 10;

/// Rows that a thread makes at a time.
const BLOCK: usize = 2048;
/// A `.npy` header's length is a multiple of this, so that the data behind it are aligned.
const ALIGNMENT: usize = 64;

/// The type of a file's numbers.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    F32,
    F16,
    U8,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::F32, Kind::F16, Kind::U8];

    /// NumPy's name of the type, this crate's, and the bytes of a number.
    fn properties(self) -> (&'static str, &'static str, usize) {
        match self {
            Kind::F32 => ("<f4", "f32", 4),
            Kind::F16 => ("<f2", "f16", 2),
            Kind::U8 => ("|u1", "u8", 1),
        }
    }

    pub(crate) fn row_bytes(self) -> usize {
        COLUMNS * self.properties().2
    }

    /// N(0, 1), or bytes of equal probability.
    fn write(self, rng: &mut ChaCha8Rng, into: &mut [u8]) {
        let normal = |rng: &mut ChaCha8Rng| -> f32 { StandardNormal.sample(rng) };
        match self {
            Kind::F32 => into.as_chunks_mut().0.iter_mut().for_each(|value| *value = normal(rng).to_le_bytes()),
            Kind::F16 => {
                into.as_chunks_mut().0.iter_mut().for_each(|value| *value = f16::from_f32(normal(rng)).to_le_bytes());
            }
            Kind::U8 => rng.fill(into),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.properties().1)
    }
}

/// The paths of the files.
pub(crate) struct Files {
    folder: PathBuf,
    bytes: usize,
}

impl Files {
    /// The files of this size, which are written if they are not there.
    pub(crate) fn make_once(folder: &Path, bytes: usize, seed: u64) -> Outcome<Self> {
        let files = Files { folder: folder.into(), bytes };
        if files.rows(Kind::F32) < 2 {
            return Err(format!("--bytes: at least {}, for two rows of f32", 2 * Kind::F32.row_bytes()).into());
        }
        fs::create_dir_all(folder)?;
        let labels = files.labels();
        if !labels.exists() {
            let rows = files.rows(Kind::U8);
            write_whole(&labels, |file| {
                file.write_all(&header("|u1", &format!("{rows},")))?;
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                (0..rows).try_for_each(|_| file.write_all(&[rng.random_range(0..CLASSES)]))
            })?;
        }
        for kind in Kind::ALL {
            let path = files.features(kind);
            if !path.exists() {
                eprintln!("writing {} MB to {}, once", bytes / 1_000_000, path.display());
                write_whole(&path, |file| write_features(file, kind, files.rows(kind), seed))?;
            }
        }
        Ok(files)
    }

    pub(crate) fn rows(&self, kind: Kind) -> usize {
        self.bytes / kind.row_bytes()
    }

    pub(crate) fn features(&self, kind: Kind) -> PathBuf {
        self.folder.join(format!("{kind}-{}x{COLUMNS}.npy", self.rows(kind)))
    }

    /// A class for each row of the longest file. The other files use the first of them.
    pub(crate) fn labels(&self) -> PathBuf {
        self.folder.join(format!("labels-{}.npy", self.rows(Kind::U8)))
    }
}

/// Writes so many rows. A block's numbers depend only on its place, and not on the number of threads.
fn write_features(file: &mut BufWriter<File>, kind: Kind, rows: usize, seed: u64) -> io::Result<()> {
    file.write_all(&header(kind.properties().0, &format!("{rows}, {COLUMNS}")))?;
    let mut blocks = vec![Vec::new(); available_parallelism().map_or(1, usize::from)];
    let mut first = 0;
    while first < rows {
        scope(|scope| {
            for (begin, block) in (first..rows).step_by(BLOCK).zip(&mut blocks) {
                block.resize(BLOCK.min(rows - begin) * kind.row_bytes(), 0);
                scope.spawn(move || {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    rng.set_stream(1 + begin as u64);
                    kind.write(&mut rng, block);
                });
            }
        });
        for (_, block) in (first..rows).step_by(BLOCK).zip(&blocks) {
            file.write_all(block)?;
        }
        first += BLOCK * blocks.len();
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
fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let unfinished = path.with_extension("npy.unfinished");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    write(&mut file)?;
    file.into_inner()?.sync_all()?;
    fs::rename(&unfinished, path)
}
