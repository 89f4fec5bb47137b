//! Ways to read a file's rows, and the part of them that an epoch goes through.

use std::fs::File;
use std::path::Path;

use clap::ValueEnum;
use memmap2::Mmap;
use ndarray::{Array2, s};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use wgpu_mlp::data::{npy_rows, npy_view, open_npy};
use wgpu_mlp::source::{RowSource, Selected};

use crate::Outcome;

/// How rows are read.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// A view of the mapped file, as an array: what there was before there were sources.
    View,
    /// A source over the mapped file.
    Mapped,
    /// A source that reads from the file.
    Opened,
}

impl Way {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Way::View => "`npy_view`",
            Way::Mapped => "`npy_rows`, mapped",
            Way::Opened => "`open_npy`",
        }
    }

    /// Opens the file, calls this function with the part's rows, and closes the file.
    pub(crate) fn read<T>(
        self,
        path: &Path,
        part: &Part,
        work: impl FnOnce(&dyn RowSource) -> Outcome<T>,
    ) -> Outcome<T> {
        match self {
            Way::Opened => part.of(open_npy(path)?, work),
            Way::Mapped => part.of(npy_rows(&map(path)?, path)?, work),
            // A selection is not an array, so this takes the beginning of the file.
            Way::View => work(&npy_view(&map(path)?, path)?.slice(s![..part.labels.len(), ..])),
        }
    }
}

fn map(path: &Path) -> Outcome<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the file does not change while it is mapped: this program wrote it as a whole, under another name first.
    #[allow(unsafe_code, reason = "memory-mapped files can be changed by others; see above")]
    let bytes = unsafe { Mmap::map(&file)? };
    Ok(bytes)
}

/// The rows of an epoch: some of a file's, or all.
pub(crate) struct Part {
    rows: Option<Vec<usize>>,
    /// A class for each.
    pub(crate) labels: Vec<i64>,
}

impl Part {
    /// A number of a file's rows, drawn from the whole file.
    pub(crate) fn draw(count: usize, of: usize, labels: &[i64], seed: u64) -> Self {
        if count >= of {
            return Part { rows: None, labels: labels[..of].into() };
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rows = rand::seq::index::sample(&mut rng, of, count).into_vec();
        Part { labels: rows.iter().map(|row| labels[*row]).collect(), rows: Some(rows) }
    }

    /// Calls this function with the part's rows of the source.
    fn of<T>(&self, source: impl RowSource, work: impl FnOnce(&dyn RowSource) -> Outcome<T>) -> Outcome<T> {
        match &self.rows {
            Some(rows) => work(&Selected::new(source, rows.clone())?),
            None => work(&source),
        }
    }

    /// The part's rows of a file of f32, in memory.
    pub(crate) fn array(&self, path: &Path) -> Outcome<Array2<f32>> {
        let bytes = map(path)?;
        let view = npy_view(&bytes, path)?;
        Ok(match &self.rows {
            Some(rows) => view.select(ndarray::Axis(0), rows),
            None => view.to_owned(),
        })
    }
}
