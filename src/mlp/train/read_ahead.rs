//! Reading ahead: worker threads read the rows of coming batches while the device works on the current one.

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

/// The number of pieces for each worker that are read, or being read, before they are needed. A piece has at most four MiB, or
/// two rows.
const PIECES_A_WORKER: usize = 2;

/// The part of the data that is read: the rows to train on, or the rows to validate on.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Train,
    Validation,
}

/// The reader of a training's rows. Worker threads and the training share it.
pub(super) struct ReadAhead<'a> {
    device: &'a Device,
    /// The rows of each [`Part`]. Both parts have the same number of columns.
    rows: [LabelledRows<'a>; 2],
    /// The maximal number of pieces in memory at a time.
    depth: usize,
    state: Mutex<State>,
    /// Signalled when there may be something to read, and when a piece has been read.
    changed: Condvar,
}

/// A plan of reading: the order of the rows of an epoch or of a validation, and the number of pieces.
#[derive(Clone)]
struct Plan {
    /// The number of the plan. By it workers know whether a piece is still wanted.
    number: u64,
    part: Part,
    order: Arc<RowNumbers>,
    /// The number of pieces.
    pieces: usize,
}

/// A piece to read: the places of its rows in the order, and the number of rows of its batch.
struct PlannedPiece {
    places: Range<usize>,
    batch: usize,
}

/// The pieces of batches, one after the other. They are computed when they are needed, since there may be as many pieces as rows.
/// Consecutive batches with equal numbers of rows are stored as one entry. Over ranks each batch may have another number of rows.
#[derive(Default)]
struct PlannedPieces {
    /// Runs of batches with equal numbers of rows: the number of rows, and the number of such batches to come.
    batches: VecDeque<(usize, usize)>,
    /// The maximal number of rows of a piece.
    piece: usize,
    /// The number of rows of the current batch, the place of its first row that is not in a piece yet, and its end.
    batch: usize,
    first: usize,
    end: usize,
}

impl PlannedPieces {
    /// The pieces of batches with these numbers of rows. Each piece has at most `piece` rows.
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

    /// The number of pieces in the batches to come.
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
    /// The number of the next piece to read, and of the next one to hand out.
    next: usize,
    first: usize,
    /// The pieces from `first` on. A piece is `None` while a worker reads it.
    pieces: VecDeque<Option<Result<Piece>>>,
    closed: bool,
}

impl<'a> ReadAhead<'a> {
    /// Runs a training with this number of workers, which read these rows and end with the training. If the number is 0, or if
    /// the system has no threads, the training gets no reader.
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
            // Closing tells the workers to end, even if the training panics. Otherwise the scope would wait for them for ever.
            let _closing = Closing(&reader);
            let spawn = |number: usize| {
                let thread = thread::Builder::new().name(format!("wgpu-mlp reader {number}"));
                thread.spawn_scoped(scope, || reader.work()).is_ok()
            };
            let spawned = (0..workers).take_while(|number| spawn(*number)).count();
            train((spawned > 0).then_some(&reader))
        })
    }

    /// Begins to read rows of this part in this order, for batches with these numbers of rows.
    pub fn begin(&self, part: Part, order: Arc<RowNumbers>, batches: impl Iterator<Item = usize>) {
        let planned = PlannedPieces::of(batches, piece_rows(self.rows[0].cols));
        let mut state = self.lock();
        state.plans += 1;
        let plan = Plan { number: state.plans, part, order, pieces: planned.len() };
        let next = State { plan: Some(plan), plans: state.plans, planned, ..State::default() };
        self.replace(state, next);
    }

    /// Discards everything that was read ahead.
    pub fn stop(&self) {
        let state = self.lock();
        let next = State { plans: state.plans, ..State::default() };
        self.replace(state, next);
    }

    /// Replaces the state and tells the workers. Pieces of the old state may hold errors of the caller's, whose code must not run
    /// under the lock.
    fn replace(&self, mut state: MutexGuard<'_, State>, next: State) {
        let old = std::mem::replace(&mut *state, next);
        drop(state);
        self.changed.notify_all();
        drop(old);
    }

    /// The pieces of the next batch, which has this number of rows.
    pub fn next_batch(&self, rows: usize) -> impl Iterator<Item = Result<Piece>> {
        (0..rows.div_ceil(piece_rows(self.rows[0].cols))).filter_map(|_| self.next_piece())
    }

    /// Waits for the next piece; `None` after the last one.
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
            // A new plan may have begun while this piece was read. The piece is then dropped.
            if state.plan.as_ref().is_some_and(|current| current.number == plan.number) {
                let place = piece - state.first;
                state.pieces[place] = Some(read);
                self.changed.notify_all();
            }
        }
    }

    /// Waits for a piece to read, and returns it with its number; `None` when the training has ended.
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

/// A guard that tells the workers to end when it is dropped.
struct Closing<'a>(&'a ReadAhead<'a>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.replace(self.0.lock(), State { closed: true, ..State::default() });
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
