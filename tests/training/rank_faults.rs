//! Faults of ranks: a fault on one rank ends the training on all ranks, in time.

use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::source::{FromFn, RowError};
use wgpu_mlp::{
    DebugOptions, Device, Epoch, Error, FitOptions, GpuOptions, History, Mlp, Optimizer, RanksError, Result, Run, Step,
    Trainer,
};

use super::over_ranks::{Data, ROWS, WIDE, WIDTHS};

/// A fault on one rank in one step.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// A row cannot be read.
    Row,
    /// The source of the rows panics.
    Source,
    /// A row is NaN.
    NotFinite,
    /// A callback fails.
    Callback,
    /// A callback fails before the first step, after an epoch, and after the last epoch.
    Start,
    Epoch,
    End,
    /// A callback fails with an error of other ranks, which these ranks do not know.
    Foreign,
    /// A callback panics.
    Panic,
    /// The rank returns an error before it trains.
    Early,
    /// A callback ends the training. This is not a fault, but all ranks must follow it.
    Break,
    /// The rank's device, a GPU of its own, loses a submit. Not for the CPU path.
    Lost,
    /// The process is killed, as by the system when memory runs out. Not for threads.
    Kill,
    /// The process ends without a message. Not for threads.
    Exit,
}

pub const FAULTS: [Fault; 11] = [
    Fault::Row,
    Fault::Source,
    Fault::NotFinite,
    Fault::Callback,
    Fault::Start,
    Fault::Epoch,
    Fault::End,
    Fault::Foreign,
    Fault::Panic,
    Fault::Early,
    Fault::Break,
];

/// A fault at any step on any rank ends the training on all of them, in time, and each says which rank it was.
pub fn faults(device: &Device, runs: u64) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for run in 0..runs {
        let size = rng.random_range(2..=4);
        let fault = FAULTS[rng.random_range(0..FAULTS.len())];
        let (rank, step) = (rng.random_range(0..size), rng.random_range(0..12));
        let widths = widths_of(run);
        let name = format!("run {run}: {fault:?} on rank {rank} of {size}, step {step}, {widths:?}");
        let outcomes = outcomes(&name, (device, widths), size, (rank, fault, step));
        for outcome in &outcomes {
            match (fault, outcome) {
                (Fault::Break, Ok(epochs)) => {
                    assert!(*epochs <= 4 && outcomes[0].as_ref().is_ok_and(|first| first == epochs), "{name}");
                }
                (Fault::Break, Err(error)) => panic!("{name}: {error}"),
                (_, Ok(_)) => panic!("{name}: no error"),
                (_, Err(error)) => assert!(error.to_string().starts_with(&format!("rank {rank}: ")), "{name}: {error}"),
            }
        }
    }
    Ok(())
}

/// The widths of the model in a run. A few runs have the large one, in which parts of the gradients may be on their way when the
/// fault comes.
pub fn widths_of(run: u64) -> &'static [usize] {
    if run % 8 == 3 { &WIDE } else { &WIDTHS }
}

/// The results of trainings on so many ranks, one of which has a fault in a step. All must end in time.
fn outcomes(
    name: &str,
    (device, widths): (&Device, &'static [usize]),
    size: usize,
    (rank, fault, step): (usize, Fault, usize),
) -> Vec<Result<usize>> {
    let (device, (say, told)) = (device.clone(), channel());
    std::thread::spawn(move || {
        let outcomes = Ranks::in_threads(size, |ranks| {
            let struck = (ranks.rank() == rank).then_some(fault);
            let run = std::panic::AssertUnwindSafe(|| faulty((&device, widths), ranks, struck, step));
            let panicked = || RanksError::Failed { rank: ranks.rank(), source: "panicked".into() };
            std::panic::catch_unwind(run).unwrap_or_else(|_| Err(Error::Ranks(panicked())))
        });
        let _ = say.send(outcomes);
    });
    told.recv_timeout(Duration::from_secs(300)).unwrap_or_else(|_| panic!("{name}: it hangs"))
}

/// On GPUs: if the device of one rank is lost, by its first submit or a later one, the training ends on all ranks, in time.
pub fn lost(device: &Device) -> Result<()> {
    let small = [0, 1, 2, 4, 7, 11].map(|behind| (behind, &WIDTHS[..]));
    // A step of the large model has several submits.
    for (behind, widths) in small.into_iter().chain([1, 3, 6, 10, 15].map(|behind| (behind, &WIDE[..]))) {
        let size = 2 + behind % 3;
        let rank = behind % size;
        let name = format!("lost behind {behind} submits of rank {rank} of {size}, {widths:?}");
        let outcomes = outcomes(&name, (device, widths), size, (rank, Fault::Lost, behind));
        for (at, outcome) in outcomes.into_iter().enumerate() {
            let error = outcome.err().unwrap_or_else(|| panic!("{name}: no error on rank {at}"));
            assert!(error.to_string().starts_with(&format!("rank {rank}: ")), "{name}: {error} on rank {at}");
            if at == rank {
                let Error::Ranks(RanksError::Failed { source, .. }) = &error else { panic!("{name}: {error}") };
                let is_loss = matches!(source.downcast_ref::<Error>(), Some(Error::DeviceLost { .. }));
                assert!(is_loss, "{name}: {error}");
            }
        }
    }
    Ok(())
}

/// A training in which this rank has the fault, if the fault is meant for it. Returns the number of epochs.
pub fn faulty((device, widths): (&Device, &[usize]), ranks: &Ranks, fault: Option<Fault>, at: usize) -> Result<usize> {
    let data = Data::new();
    // Every rank has rows in nearly every batch.
    let own = ranks.share_of(ROWS);
    let bad = at.min(own.len() - 1);
    let rows = FromFn::new((own.len(), 4), |row, into| {
        if row == bad && matches!(fault, Some(Fault::Row)) {
            return Err(RowError::new(row, "torn out"));
        }
        if row == bad && matches!(fault, Some(Fault::Source)) {
            // Unlike `panic!`, this prints nothing.
            std::panic::resume_unwind(Box::new("a source of a test"));
        }
        into.copy_from_slice(data.x.row(own.start + row).as_slice().unwrap_or_default());
        if row == bad && matches!(fault, Some(Fault::NotFinite)) {
            into[1] = f32::NAN;
        }
        Ok(())
    });
    if matches!(fault, Some(Fault::Early)) {
        return ranks.agree(Err("gave up"));
    }
    let opened = if matches!(fault, Some(Fault::Lost)) { losing(at) } else { Ok(device.clone()) };
    let mut model = match opened.and_then(|device| Mlp::new(&device, widths, 3)) {
        Ok(model) => model,
        // The others train.
        Err(error) => return ranks.agree(Err(error)),
    };
    let mut watch = Strike { fault, at, steps: 0 };
    let options = FitOptions { epochs: 5, batch: 24, ..Default::default() };
    let trainer = Trainer::new(&options).over(ranks).callback(&mut watch);
    Ok(trainer.fit(&mut model, rows, &data.labels[own.clone()])?.epochs.len())
}

/// A GPU that loses one submit, after so many others.
fn losing(behind: usize) -> Result<Device> {
    let debug = DebugOptions { left_out_submit: Some(1 + behind as u64), ..Default::default() };
    Device::gpu_with(&GpuOptions { debug, ..Default::default() })
}

/// A callback that causes the fault in its step.
struct Strike {
    fault: Option<Fault>,
    at: usize,
    steps: usize,
}

impl Strike {
    /// The error of this rank, if this is its fault.
    fn fails(&self, here: impl Fn(&Fault) -> bool) -> Result<()> {
        let struck = self.fault.as_ref().is_some_and(here);
        if struck { Err(Error::NoForward { layer: "of a test", call: "backward" }) } else { Ok(()) }
    }
}

impl wgpu_mlp::Callback for Strike {
    fn on_start(&mut self, _: &Run) -> Result<()> {
        self.fails(|fault| matches!(fault, Fault::Start))
    }

    fn on_epoch(&mut self, _: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        self.fails(|fault| matches!(fault, Fault::Epoch) && epoch.index == self.at % 5)?;
        Ok(ControlFlow::Continue(()))
    }

    fn on_end(&mut self, _: &History) -> Result<()> {
        self.fails(|fault| matches!(fault, Fault::End))
    }

    fn on_step(&mut self, _: &Step) -> Result<ControlFlow<()>> {
        self.steps += 1;
        match self.fault.filter(|_| self.steps == self.at + 1) {
            Some(Fault::Callback) => self.fails(|_| true).map(|()| ControlFlow::Continue(())),
            Some(Fault::Foreign) => Ranks::alone().agree(Err("failed elsewhere")),
            // Unlike `panic!`, this prints nothing.
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("a callback of a test")),
            Some(Fault::Kill) => {
                let own = std::process::id().to_string();
                let _ = std::process::Command::new("kill").args(["-9", &own]).status();
                Ok(ControlFlow::Continue(()))
            }
            Some(Fault::Exit) => std::process::exit(3),
            Some(Fault::Break) => Ok(ControlFlow::Break(())),
            _ => Ok(ControlFlow::Continue(())),
        }
    }

    fn watches_steps(&self) -> bool {
        true
    }
}

/// An update whose result is not finite is undone on all ranks. The error says so, and on the rank that caused it contains that
/// rank's own error. The update is also undone if a row of the next step cannot be read; then that is the error. The other rank may
/// then be adding a part of its gradients.
pub fn undone(device: &Device) -> Result<()> {
    for torn in [false, true] {
        undone_before(device, &WIDTHS, torn)?;
        undone_before(device, &WIDE, torn)?;
    }
    Ok(())
}

fn undone_before(device: &Device, widths: &[usize], torn: bool) -> Result<()> {
    let options =
        FitOptions { epochs: 3, batch: 32, optimizer: Optimizer::sgd(1e38), shuffle: false, ..Default::default() };
    let data = Data::new();
    let outcomes = Ranks::in_threads(2, |ranks| {
        let own = ranks.share_of(ROWS);
        let rows = FromFn::new((own.len(), 4), |row, into: &mut [f32]| {
            // Rows are not shuffled: the first rank's second batch begins with this row.
            if torn && ranks.rank() == 0 && row == 40 {
                return Err(RowError::new(row, "torn out"));
            }
            // The rate is so large that the first update overflows.
            into.iter_mut().zip(data.x.row(own.start + row)).for_each(|(into, x)| *into = 1e3 * x);
            Ok(())
        });
        let mut model = Mlp::new(device, widths, 3)?;
        let outcome = Trainer::new(&options).over(ranks).fit(&mut model, rows, &data.labels[own.clone()]);
        Ok::<_, Error>((outcome.err(), model.parameters()?))
    });
    for outcome in outcomes {
        let (error, parameters) = outcome?;
        let finite = |layer: &wgpu_mlp::Parameters| layer.weights.iter().chain(&layer.biases).all(|x| x.is_finite());
        assert!(parameters.iter().all(finite));
        match error {
            Some(Error::Ranks(RanksError::Failed { rank: 0, source })) => {
                assert_eq!(source.to_string().contains("torn out"), torn, "{source}");
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

/// A panic that is not caught, in a training or between two calls, ends the current call of the other ranks with an error, and
/// continues after all ranks have ended.
pub fn panics(device: &Device) -> Result<()> {
    for fault in [Some(Fault::Panic), None] {
        let (device, (say, told)) = (device.clone(), channel());
        std::thread::spawn(move || {
            let all = || {
                Ranks::in_threads(3, |ranks| {
                    let here = ranks.rank() == 1;
                    assert!(!here || fault.is_some(), "a panic of a test");
                    let outcome = faulty((&device, &WIDTHS), ranks, fault.filter(|_| here), 4);
                    let _ = say.send(outcome.as_ref().map_err(Error::to_string).copied());
                    outcome
                })
            };
            let went_on = std::panic::catch_unwind(std::panic::AssertUnwindSafe(all)).is_err();
            let _ = say.send(Err(format!("went on: {went_on}")));
        });
        let heard: Vec<_> = (0..3).map(|_| told.recv_timeout(Duration::from_secs(300))).collect();
        let wanted = ["rank 1: panicked", "rank 1: panicked", "went on: true"];
        assert_eq!(heard, wanted.map(|words| Ok(Err(words.to_owned()))), "{fault:?}");
    }
    Ok(())
}
