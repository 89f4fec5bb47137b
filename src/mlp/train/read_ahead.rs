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
    pieces: Arc<[PlannedPiece]>,
}

/// The places in the order of a piece's rows, and the number of rows of its batch.
#[derive(Clone)]
struct PlannedPiece {
    places: Range<usize>,
    batch: usize,
}

/// The pieces of batches of so many rows, each of at most `piece`.
fn planned_pieces(batches: impl Iterator<Item = usize>, piece: usize) -> Vec<PlannedPiece> {
    let (mut pieces, mut first) = (Vec::new(), 0);
    for batch in batches {
        let end = first + batch;
        while first < end {
            let places = first..end.min(first + piece);
            first = places.end;
            pieces.push(PlannedPiece { places, batch });
        }
    }
    pieces
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    plans: u64,
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
        let mut state = self.lock();
        state.plans += 1;
        let pieces = planned_pieces(batches, piece_rows(self.rows[0].cols)).into();
        let plan = Plan { number: state.plans, part, order, pieces };
        *state = State { plan: Some(plan), plans: state.plans, ..State::default() };
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
            if state.plan.as_ref().is_none_or(|plan| state.first >= plan.pieces.len()) {
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
        while let Some((plan, piece)) = self.next_job() {
            let PlannedPiece { places, batch } = &plan.pieces[piece];
            let numbers = plan.order.among(places.clone());
            let wanted = self.rows[plan.part as usize].features(&numbers, 1);
            let read = caught(wanted, || read_piece(self.device, wanted, *batch));
            let mut state = self.lock();
            // Another plan may have begun meanwhile.
            if state.plan.as_ref().is_some_and(|current| current.number == plan.number) {
                let place = piece - state.first;
                state.pieces[place] = Some(read);
                self.changed.notify_all();
            }
        }
    }

    /// Waits for a piece to read; none when the training has ended.
    fn next_job(&self) -> Option<(Plan, usize)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(plan) = state.plan.clone().filter(|plan| state.next < plan.pieces.len())
                && state.next < state.first + self.depth
            {
                state.next += 1;
                state.pieces.push_back(None);
                return Some((plan, state.next - 1));
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
                let mut pieces = planned_pieces(batches.iter().copied(), piece).into_iter();
                let mut next = 0;
                for batch in &batches {
                    let end = next + batch;
                    while next < end {
                        let planned = pieces.next().unwrap();
                        assert_eq!((planned.places.start, planned.batch), (next, *batch), "{batches:?} {piece}");
                        assert!(
                            !planned.places.is_empty() && planned.places.len() <= piece && planned.places.end <= end
                        );
                        next = planned.places.end;
                    }
                }
                assert!(pieces.next().is_none(), "{batches:?} {piece}");
            }
        }
    }
}
