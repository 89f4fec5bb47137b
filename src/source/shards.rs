//! Several sources, one after the other.

use super::checked::{dim_of, name_of};
use super::row_error::RowError;
use super::row_source::RowSource;
use crate::error::{Error, Result, Shape};

/// Several sources with equal numbers of columns as one source: the rows of the first, then those of the second, and so on.
///
/// Shards of different types can be boxed: `Shards<Box<dyn RowSource>>`.
///
/// ```
/// use wgpu_mlp::source::{RowSource, Shards};
/// let shards = Shards::new(vec![ndarray::array![[1.0f32], [2.0]], ndarray::array![[3.0f32]]])?;
/// let mut rows = [0.0; 2];
/// shards.read_rows(&[2, 0], &mut rows).unwrap();
/// assert_eq!((shards.dim(), rows), ((3, 1), [3.0, 1.0]));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Shards<S> {
    shards: Vec<S>,
    /// For each shard, the number of rows up to its end.
    ends: Vec<usize>,
    cols: usize,
}

impl<S: RowSource> Shards<S> {
    /// Joins these sources to one.
    ///
    /// # Errors
    /// [`Error::Empty`] without sources; [`Error::Data`] for a source with another number of columns than the first, with its name
    /// ([`RowSource::name`]) and number; [`Error::Shape`] for more rows than this machine can count; [`Error::Source`] for a
    /// source that panics when it is asked for its number of columns.
    pub fn new(shards: Vec<S>) -> Result<Self> {
        let dims = shards.iter().map(|shard| dim_of("shards", shard)).collect::<Result<Vec<_>>>()?;
        let Some(&(first_rows, cols)) = dims.first() else {
            return Err(Error::Empty { op: "shards", shape: Shape { rows: 0, cols: 0 } });
        };
        if let Some(shard) = dims.iter().position(|(_, other)| *other != cols) {
            let [shape, first] = [dims[shard], (first_rows, cols)].map(Shape::from);
            let (path, rule) = (name_of(&shards[shard]).into(), "all shards must have as many columns as the first");
            return Err(Error::Data {
                path,
                rule,
                found: format!("{shape} in shard {shard}, counted from 0, where shard 0 has {first}"),
            });
        }
        let mut rows = 0_usize;
        let end = |&(more, _): &(usize, usize)| {
            let rule = "all shards together must have a number of rows that this machine can count";
            let left = (rows, cols).into();
            rows =
                rows.checked_add(more).ok_or(Error::Shape { op: "shards", rule, left, right: (more, cols).into() })?;
            Ok(rows)
        };
        Ok(Shards { ends: dims.iter().map(end).collect::<Result<_>>()?, shards, cols })
    }

    /// The index of the shard that has this row.
    fn shard_of(&self, row: usize) -> Result<usize, RowError> {
        let shard = self.ends.partition_point(|end| *end <= row);
        if shard == self.shards.len() { Err(RowError::beyond(row, self.dim().0)) } else { Ok(shard) }
    }

    /// The number of rows before this shard.
    fn first_row(&self, shard: usize) -> usize {
        if shard == 0 { 0 } else { self.ends[shard - 1] }
    }
}

impl<S: RowSource> RowSource for Shards<S> {
    fn dim(&self) -> (usize, usize) {
        (self.ends.last().copied().unwrap_or(0), self.cols)
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        // Each shard is asked once for all of its rows, since a call may cost more than reading a row.
        let numbered = |(place, row): (usize, &usize)| Ok((self.shard_of(*row)?, place));
        let mut places = rows.iter().enumerate().map(numbered).collect::<Result<Vec<_>, RowError>>()?;
        places.sort_unstable();
        let mut together = Vec::new();
        for places in places.chunk_by(|(shard, _), (next, _)| shard == next) {
            let shard = places[0].0;
            let first = self.first_row(shard);
            let wanted: Vec<_> = places.iter().map(|(_, place)| rows[*place] - first).collect();
            let numbered = |error: RowError| RowError { row: error.row.saturating_add(first), ..error };
            let read = |into: &mut [f32]| self.shards[shard].read_rows(&wanted, into).map_err(numbered);
            let span = places[0].1..places[places.len() - 1].1 + 1;
            if span.len() == places.len() {
                read(&mut into[span.start * self.cols..span.end * self.cols])?;
                continue;
            }
            together.resize(places.len() * self.cols, 0.0);
            if !self.shards[shard].writes_all() {
                // A value that a shard does not write is then NaN, and not a value of the shard before it.
                together.fill(f32::NAN);
            }
            read(&mut together)?;
            for ((_, place), values) in places.iter().zip(together.chunks_exact(self.cols.max(1))) {
                into[place * self.cols..(place + 1) * self.cols].copy_from_slice(values);
            }
        }
        Ok(())
    }

    fn is_in_memory(&self) -> bool {
        self.shards.iter().all(RowSource::is_in_memory)
    }

    fn writes_all(&self) -> bool {
        self.shards.iter().all(RowSource::writes_all)
    }

    fn name(&self) -> String {
        let first = self.shards.first().map(RowSource::name).unwrap_or_default();
        format!("{} shards, the first of them {first}", self.shards.len())
    }
}
