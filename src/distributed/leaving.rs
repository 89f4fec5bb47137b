//! Leaving: a guard that tells the other ranks if this rank leaves a call early.

use std::sync::atomic::Ordering::Relaxed;

use super::message::{Call, EVERY_CALL, NOT_TOLD};
use super::ranks::Ranks;

impl Ranks {
    /// A guard that tells the other ranks, when it is dropped, that this rank has left a call early: by a panic, or because a
    /// future was dropped. [`Leaving::not_early`] prevents that.
    pub(crate) fn leaving(&self, call: Call) -> Leaving<'_> {
        // An error of an earlier call ends nothing here.
        self.told.store(NOT_TOLD, Relaxed);
        Leaving { ranks: self, call }
    }

    /// Whether the last round has ended this call with an error on all ranks. A call that a callback makes within a training does
    /// not end the training.
    pub(super) fn told_in(&self, call: Call) -> bool {
        let of_fit = [Call::Step, Call::Gradients, Call::Validation, Call::Epoch];
        let parts: &[Call] = if call == Call::Fit { &of_fit } else { &[] };
        let told = self.told.load(Relaxed);
        told == EVERY_CALL || parts.iter().chain([&call]).any(|part| *part as u8 == told)
    }
}

/// A call of this rank. If this guard is dropped, the call has ended early.
pub(crate) struct Leaving<'a> {
    ranks: &'a Ranks,
    call: Call,
}

impl Leaving<'_> {
    /// Ends the guard without telling the others, since the call has ended normally.
    pub fn not_early(self) {
        std::mem::forget(self);
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        // After an error that all ranks know, the others have ended the call too. They would take a round more for one of their
        // next call. The end of a program is told in any case: it lies outside of all other calls.
        if self.call != Call::Leave && self.ranks.told_in(self.call) {
            return;
        }
        let why = if std::thread::panicking() { "panicked" } else { "was dropped" };
        // The result is the error of this rank itself, which has no caller to return it to.
        let _ = self.ranks.round(self.call, Err(why.into()));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;
    use crate::error::{Error, Result};

    fn no_forward() -> Error {
        Error::NoForward { layer: "of a test", call: "backward" }
    }

    fn words(outcome: Result<()>) -> String {
        outcome.err().map_or_else(|| "well".into(), |error| error.to_string())
    }

    /// The outcomes of two ranks: of a call in which rank 0 panics and rank 1 may fail, and of the next call. If rank 0 hears, it
    /// panics only after the round in which it is told that rank 1 has failed.
    fn outcomes(fails: bool, hears: bool) -> Vec<[String; 2]> {
        let outcomes = Ranks::in_threads(2, |ranks| {
            let first = ranks.rank() == 0;
            // This error must not be taken for one of the next call.
            assert!(ranks.agree(if first { Ok(()) } else { Err("failed before") }).is_err());
            let call = || {
                ranks.in_call(Call::Predict, || match first {
                    true => {
                        let _ = hears.then(|| ranks.same(Call::Predict, "a number", 0));
                        // Unlike `panic!`, this prints nothing.
                        resume_unwind(Box::new("a panic of a test"))
                    }
                    false if fails => Err(no_forward()),
                    false => Ok(()),
                })
            };
            let outcome = catch_unwind(AssertUnwindSafe(call)).unwrap_or(Ok(()));
            Ok::<_, Error>([outcome, ranks.agree(Ok::<_, Error>(()))].map(words))
        });
        outcomes.into_iter().filter_map(Result::ok).collect()
    }

    #[test]
    fn a_panic_is_told_once_unless_all_ranks_have_an_error_before() {
        let both = |first: &str| [["well"; 2].map(str::to_owned), [first, "well"].map(str::to_owned)];
        assert_eq!(outcomes(false, false), both("rank 0: panicked"));
        assert_eq!(outcomes(true, false), both("rank 0: panicked"));
        assert_eq!(outcomes(true, true), both(&format!("rank 1: {}", no_forward())));
    }

    /// The outcomes of two ranks: of a training in which each makes a call of its own, and of the next call.
    fn within(inner: impl Fn(&Ranks) -> Result<()> + Sync) -> Vec<[String; 2]> {
        let outcomes = Ranks::in_threads(2, |ranks| {
            let outcome = ranks.in_call(Call::Fit, || inner(ranks));
            Ok::<_, Error>([outcome, ranks.agree(Ok::<_, Error>(()))].map(words))
        });
        outcomes.into_iter().filter_map(Result::ok).collect()
    }

    #[test]
    fn an_error_of_a_call_within_another_is_told_once() {
        let both = |first: &str, second: &str| [[first, "well"], [second, "well"]].map(|pair| pair.map(str::to_owned));
        let torn = |ranks: &Ranks| ranks.agree(if ranks.rank() == 0 { Ok(()) } else { Err("torn out") });
        let goes_on = |ranks: &Ranks| match torn(ranks) {
            Err(_) if ranks.rank() == 1 => ranks.same(Call::Epoch, "a number", 0),
            outcome => outcome,
        };
        assert_eq!(within(goes_on), both("rank 1: torn out", "rank 0: rank 1: torn out"));
        let only_one = |ranks: &Ranks| match ranks.rank() {
            0 => ranks.agree(Ok::<_, Error>(())),
            _ => ranks.same(Call::Step, "a number", 0),
        };
        let differ = "the ranks differ in the call that they are in: a step of fit on rank 1, agree on rank 0";
        assert_eq!(within(only_one), both(differ, differ));
        assert_eq!(within(torn), both("rank 1: torn out", "rank 1: torn out"));
    }
}
