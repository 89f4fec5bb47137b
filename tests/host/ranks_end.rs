//! Ranks that end before the others, or leave a call: the others get an error that names this rank, and none waits for ever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use ndarray::s;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, FitOptions, Mlp, Result, Trainer};

use crate::awaiting;
use crate::training::over_ranks::{self, Data, ROWS, WIDE, WIDTHS};
use crate::training::rich;

type Failure = Box<dyn Error + Send + Sync>;
/// The result of a rank.
type Said = (usize, String);

/// The results of so many threads in the order of the ranks, and whether a panic continued after all had ended. All must end in
/// time.
fn said(
    size: usize,
    program: impl Fn(&Ranks, &dyn Fn(String)) -> Result<(), Failure> + Send + Sync + 'static,
) -> (Vec<Said>, bool) {
    let (say, told) = channel();
    std::thread::spawn(move || {
        let words = Mutex::new(Vec::new());
        let run = |ranks: &Ranks| {
            let keep = |said: String| words.lock().unwrap().push((ranks.rank(), said));
            program(ranks, &keep)
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| Ranks::in_threads(size, run))).is_err();
        let mut words: Vec<Said> = words.into_inner().unwrap();
        words.sort_by_key(|(rank, _)| *rank);
        let _ = say.send((words, panicked));
    });
    told.recv_timeout(Duration::from_secs(300)).expect("a rank waits for ever")
}

/// The words of an error.
fn words<T>(outcome: Result<T>) -> String {
    outcome.err().map_or_else(|| "no error".into(), |error| error.to_string())
}

#[test]
fn a_rank_that_has_ended_is_told_to_those_that_train() {
    let differ = "the ranks differ in the call that they are in: the end of the program on rank 1, fit on rank 0";
    for (fails, first) in [(false, differ), (true, "rank 1: gave up")] {
        let (heard, panicked) = said(3, move |ranks, say| {
            if ranks.rank() == 1 {
                return if fails { Err("gave up".into()) } else { Ok(()) };
            }
            say(words(over_ranks::train(&Device::cpu(), ranks, &Data::new(), &rich())));
            // Nobody is there any more to agree with.
            say(words(ranks.agree(Ok::<_, wgpu_mlp::Error>(()))));
            Ok(())
        });
        let of_rank = |rank| [first, "rank 1: has ended"].map(|words| (rank, words.to_owned()));
        assert_eq!((heard, panicked), ([of_rank(0), of_rank(2)].concat(), false));
    }
}

/// In a training of the large model the other rank may be adding a part of its gradients when it is told.
#[test]
fn a_training_that_is_dropped_ends_on_all_ranks() {
    let cases: [(&'static [usize], usize); 3] = [(&WIDTHS, 1), (&WIDE, 1), (&WIDE, 2)];
    for (widths, polls) in cases {
        let (heard, panicked) = said(2, move |ranks, say| {
            let (Data { x, labels, .. }, options, own) = (Data::new(), rich(), ranks.share_of(ROWS));
            let mut model = Mlp::new(&Device::cpu(), widths, 3)?;
            let trainer = Trainer::new(&options).over(ranks);
            let (x, labels) = (x.slice(s![own.clone(), ..]), &labels[own]);
            if ranks.rank() == 0 {
                say(words(trainer.fit(&mut model, x, labels)));
            } else {
                let (outcome, _) = awaiting::poll_up_to(polls, pin!(trainer.fit_async(&mut model, x, labels)));
                say(outcome.map_or_else(|| "dropped".into(), words));
            }
            Ok(())
        });
        let wanted = [(0, "rank 1: was dropped".to_owned()), (1, "dropped".to_owned())];
        assert_eq!((heard, panicked), (wanted.to_vec(), false), "{widths:?}, {polls} polls");
    }
}

/// An error of a program that has no words.
#[derive(Debug)]
struct Silent;

impl fmt::Display for Silent {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("an error of a test")
    }
}

impl Error for Silent {}

#[test]
fn an_error_that_panics_when_it_is_told_leaves_nobody_waiting() {
    let (heard, panicked) = said(2, |ranks, say| {
        if ranks.rank() == 1 {
            return Err(Silent.into());
        }
        say(words(ranks.agree(Ok::<_, wgpu_mlp::Error>(()))));
        Ok(())
    });
    assert_eq!((heard, panicked), (vec![(0, "rank 1: panicked".to_owned())], true));
}

#[test]
fn a_checkpoint_that_cannot_be_written_ends_the_training_on_all_ranks() {
    let (heard, panicked) = said(2, |ranks, say| {
        let folder = tempfile::tempdir()?;
        let (Data { x, labels, .. }, own) = (Data::new(), ranks.share_of(ROWS));
        let options = FitOptions { epochs: 2, ..Default::default() };
        let mut model = Mlp::new(&Device::cpu(), &WIDTHS, 3)?;
        let trainer = Trainer::new(&options).over(ranks).checkpoint(folder.path().join("no-such-folder/checkpoint"));
        say(words(trainer.fit(&mut model, x.slice(s![own.clone(), ..]), &labels[own])));
        Ok(())
    });
    let well = |(rank, words): &Said| words.starts_with("rank 0: ") && words.contains("no-such-folder") && *rank < 2;
    assert!(heard.len() == 2 && heard.iter().all(well) && !panicked, "{heard:?}");
}

#[test]
fn a_checkpoint_that_cannot_be_kept_later_ends_the_training_on_all_ranks() {
    let (heard, panicked) = said(2, |ranks, say| {
        let (Data { x, labels, .. }, own) = (Data::new(), ranks.share_of(ROWS));
        let options = FitOptions { epochs: 3, ..Default::default() };
        let (mut model, mut kept) = (Mlp::new(&Device::cpu(), &WIDTHS, 3)?, 0);
        let mut keep = |_: &[u8]| {
            kept += 1;
            if kept < 2 { Ok(()) } else { Err(wgpu_mlp::Error::NoForward { layer: "of a test", call: "backward" }) }
        };
        let trainer = Trainer::new(&options).over(ranks).checkpoint_to(&mut keep);
        say(words(trainer.fit(&mut model, x.slice(s![own.clone(), ..]), &labels[own])));
        Ok(())
    });
    assert!(heard.len() == 2 && heard.iter().all(|(_, words)| words.starts_with("rank 0: ")) && !panicked, "{heard:?}");
}
