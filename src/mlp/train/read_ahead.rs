//! Reading ahead: worker threads read the rows of coming batches while the device works on the present one.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::batches::LabelledRows;
use super::row_numbers::RowNumbers;
use crate::device::Device;
use crate::error::Result;
use crate::gathered::{Piece, piece_rows, read_piece};
use crate::source::caught;

/// Pieces that are read or being read before their turn comes, for each worker. A piece has at most four MiB, or two rows.
const PIECES_A_WORKER: usize = 2;

/// The rows that are read: those to train on, or those to validate on.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Train,
    Validation,
}

/// The reader of a training's rows, which worker threads and the training share.
pub(super) struct ReadAhead<'a> {
    device: &'a Device,
    /// Those of each [`Part`], which have as many columns.
    rows: [LabelledRows<'a>; 2],
    /// The number of pieces that are in memory at a time, at most.
    depth: usize,
    state: Mutex<State>,
    /// Signalled whenever there may be something to read, or a piece has been read.
    changed: Condvar,
}

/// The order in which rows are read: those of an epoch, or of a validation.
#[derive(Clone)]
struct Plan {
    /// The number of the plan, by which workers know whether a piece is still wanted.
    number: u64,
    part: Part,
    order: Arc<RowNumbers>,
    /// The number of pieces.
    pieces: usize,
}

/// The places in the order of a piece's rows, and the number of rows of its batch.
struct PlannedPiece {
    places: Range<usize>,
    batch: usize,
}

/// The pieces of batches, one after the other. They are computed when they are needed: there may be as many as rows. A
/// batch that has as many rows as the one before takes no memory; over ranks each may have another number.
#[derive(Default)]
struct PlannedPieces {
    /// Batches in a row that have as many rows: their rows, and how many of them are to come.
    batches: VecDeque<(usize, usize)>,
    /// The most rows of a piece.
    piece: usize,
    /// The rows of the present batch, the first of them that is in no piece yet, and its end.
    batch: usize,
    first: usize,
    end: usize,
}

impl PlannedPieces {
    /// The pieces of batches of so many rows, each of at most `piece`.
    fn of(rows: impl Iterator<Item = usize>, piece: usize) -> Self {
        let mut batches: VecDeque<(usize, usize)> = VecDeque::new();
        for rows in rows.filter(|rows| *rows > 0) {
            match batches.back_mut() {
                Some((like, count)) if *like == rows => *count += 1,
                _ => batches.push_back((rows, 1)),
            }
        }
        PlannedPieces { batches, piece, ..Default::default() }
    }

    /// The number of pieces of the batches to come.
    fn len(&self) -> usize {
        self.batches.iter().map(|(rows, count)| count * rows.div_ceil(self.piece)).sum()
    }
}

impl Iterator for PlannedPieces {
    type Item = PlannedPiece;

    fn next(&mut self) -> Option<PlannedPiece> {
        while self.first >= self.end {
            let (rows, count) = self.batches.pop_front()?;
            if count > 1 {
                self.batches.push_front((rows, count - 1));
            }
            (self.batch, self.end) = (rows, self.first + rows);
        }
        let places = self.first..self.end.min(self.first + self.piece);
        self.first = places.end;
        Some(PlannedPiece { places, batch: self.batch })
    }
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    plans: u64,
    /// The pieces of the plan that no worker has begun to read.
    planned: PlannedPieces,
    /// The next piece to read, and the next to hand out.
    next: usize,
    first: usize,
    /// Pieces from `first` on; `None` while a worker reads them.
    pieces: VecDeque<Option<Result<Piece>>>,
    closed: bool,
}

impl<'a> ReadAhead<'a> {
    /// Runs a training with so many workers that read these rows, or without a reader where there are to be none or the
    /// system has no threads. They end with it.
    pub fn run<T>(
        device: &'a Device,
        rows: [LabelledRows<'a>; 2],
        workers: usize,
        train: impl FnOnce(Option<&ReadAhead<'a>>) -> T,
    ) -> T {
        if workers == 0 {
            return train(None);
        }
        let (state, changed) = (Mutex::default(), Condvar::new());
        let reader = ReadAhead { device, rows, depth: PIECES_A_WORKER * workers, state, changed };
        thread::scope(|scope| {
            // Also where the training panics, so that the scope does not wait for its workers for ever.
            let _closing = Closing(&reader);
            let spawn = |number: usize| {
                let thread = thread::Builder::new().name(format!("wgpu-mlp reader {number}"));
                thread.spawn_scoped(scope, || reader.work()).is_ok()
            };
            let spawned = (0..workers).take_while(|number| spawn(*number)).count();
            train((spawned > 0).then_some(&reader))
        })
    }

    /// Begins to read rows of this part, in this order, for batches of so many rows each.
    pub fn begin(&self, part: Part, order: Arc<RowNumbers>, batches: impl Iterator<Item = usize>) {
        let planned = PlannedPieces::of(batches, piece_rows(self.rows[0].cols));
        let mut state = self.lock();
        state.plans += 1;
        let plan = Plan { number: state.plans, part, order, pieces: planned.len() };
        *state = State { plan: Some(plan), plans: state.plans, planned, ..State::default() };
        self.changed.notify_all();
    }

    /// Forgets what is read ahead.
    pub fn stop(&self) {
        let mut state = self.lock();
        *state = State { plans: state.plans, ..State::default() };
    }

    /// The pieces of the next batch, which has so many rows.
    pub fn next_batch(&self, rows: usize) -> impl Iterator<Item = Result<Piece>> {
        (0..rows.div_ceil(piece_rows(self.rows[0].cols))).filter_map(|_| self.next_piece())
    }

    /// Waits for the next piece; none behind the last.
    fn next_piece(&self) -> Option<Result<Piece>> {
        let mut state = self.lock();
        loop {
            if state.plan.as_ref().is_none_or(|plan| state.first >= plan.pieces) {
                return None;
            }
            if let Some(piece) = state.pieces.front_mut().and_then(Option::take) {
                state.pieces.pop_front();
                state.first += 1;
                self.changed.notify_all();
                return Some(piece);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads pieces until the training ends.
    fn work(&self) {
        while let Some((plan, piece, PlannedPiece { places, batch })) = self.next_job() {
            let numbers = plan.order.among(places);
            let wanted = self.rows[plan.part as usize].features(&numbers, 1);
            let read = caught(wanted, || read_piece(self.device, wanted, batch));
            let mut state = self.lock();
            // Another plan may have begun meanwhile.
            if state.plan.as_ref().is_some_and(|current| current.number == plan.number) {
                let place = piece - state.first;
                state.pieces[place] = Some(read);
                self.changed.notify_all();
            }
        }
    }

    /// Waits for a piece to read, which comes with its number; none when the training has ended.
    fn next_job(&self) -> Option<(Plan, usize, PlannedPiece)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if state.next < state.first + self.depth
                && let Some(plan) = state.plan.clone()
                && let Some(piece) = state.planned.next()
            {
                state.next += 1;
                state.pieces.push_back(None);
                return Some((plan, state.next - 1, piece));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the workers to end when it is dropped.
struct Closing<'a>(&'a ReadAhead<'a>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        *self.0.lock() = State { closed: true, ..State::default() };
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_each_batch_and_none_has_rows_of_two() {
        for batches in [vec![4, 4, 2], vec![4, 4], vec![1], vec![3, 0, 7, 1], vec![0], vec![]] {
            for piece in [1, 2, 3, 8] {
                let mut pieces = PlannedPieces::of(batches.iter().copied(), piece);
                let (count, mut next, mut seen) = (pieces.len(), 0, 0);
                for batch in &batches {
                    let end = next + batch;
                    while next < end {
                        let planned = pieces.next().unwrap();
                        assert_eq!((planned.places.start, planned.batch), (next, *batch), "{batches:?} {piece}");
                        assert!(
                            !planned.places.is_empty() && planned.places.len() <= piece && planned.places.end <= end
                        );
                        next = planned.places.end;
                        seen += 1;
                    }
                }
                assert!(pieces.next().is_none(), "{batches:?} {piece}");
                assert_eq!(count, seen, "{batches:?} {piece}");
            }
        }
    }

    #[test]
    fn a_plan_takes_no_memory_for_each_of_equal_batches() {
        let batches = std::iter::repeat_n([1, 0], 100_000).flatten().chain([3, 0]);
        assert_eq!(PlannedPieces::of(batches, 2).batches, [(1, 100_000), (3, 1)]);
    }
}
