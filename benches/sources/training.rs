//! A training of one epoch, and its time.

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use wgpu_mlp::source::RowSource;
use wgpu_mlp::{Callback, Device, Epoch, FitOptions, Mlp, Optimizer, Run, Trainer};

use crate::files::{CLASSES, COLUMNS};

/// A model, by its widths.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Model {
    #[value(name = "784-10")]
    Linear,
    #[value(name = "784-512-10")]
    Hidden,
}

impl Model {
    fn widths(self) -> Vec<usize> {
        match self {
            Model::Linear => vec![COLUMNS, CLASSES.into()],
            Model::Hidden => vec![COLUMNS, 512, CLASSES.into()],
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<_> = self.widths().iter().map(usize::to_string).collect();
        f.write_str(&widths.join("-"))
    }
}

/// What updates the parameters.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    Adam,
    Sgd,
}

impl Rule {
    /// With steps so small that bytes as features do no harm.
    fn optimizer(self) -> Optimizer {
        match self {
            Rule::Adam => Optimizer::adam(1e-4),
            Rule::Sgd => Optimizer::sgd(1e-6),
        }
    }
}

/// A training of one epoch, without its rows.
pub(crate) struct Training<'a> {
    pub(crate) device: &'a Device,
    pub(crate) model: Model,
    pub(crate) optimizer: Rule,
    pub(crate) batch: usize,
    pub(crate) seed: u64,
}

impl Training<'_> {
    /// Trains a new model for an epoch. Gives the time from its start until its last loss is on the host, and the bits of
    /// the parameters.
    pub(crate) fn epoch(
        &self,
        rows: &dyn RowSource,
        labels: &[i64],
        workers: usize,
    ) -> wgpu_mlp::Result<(Duration, Vec<u32>)> {
        let options = FitOptions {
            epochs: 1,
            batch: self.batch,
            optimizer: self.optimizer.optimizer(),
            seed: self.seed,
            workers,
            ..Default::default()
        };
        let mut model = Mlp::new(self.device, &self.model.widths(), self.seed)?;
        self.device.wait()?;
        let mut clock = Clock { since: Instant::now(), taken: Duration::ZERO };
        Trainer::new(&options).callback(&mut clock).fit(&mut model, rows, labels)?;
        let parameters = model.parameters()?;
        let values = parameters.iter().flat_map(|layer| layer.weights.iter().chain(&layer.biases));
        Ok((clock.taken, values.map(|value| value.to_bits()).collect()))
    }
}

/// The time of an epoch, without the work before and after it.
struct Clock {
    since: Instant,
    taken: Duration,
}

impl Callback for Clock {
    fn on_start(&mut self, _: &Run) -> wgpu_mlp::Result<()> {
        self.since = Instant::now();
        Ok(())
    }

    fn on_epoch(&mut self, _: &Mlp, _: &Epoch) -> wgpu_mlp::Result<ControlFlow<()>> {
        self.taken = self.since.elapsed();
        Ok(ControlFlow::Continue(()))
    }

    fn watches_steps(&self) -> bool {
        false
    }
}
