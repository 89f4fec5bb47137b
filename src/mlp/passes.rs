//! A pass over the rows: step after step without a wait, losses read now and then, and a way back when one goes wrong.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::Mlp;
use super::blame::Place;
use super::callback::{Callback, Run, Step};
use super::checkpoint::Course;
use super::history::{Epoch, History};
use super::trainer::Job;
use crate::error::{Error, Result};
use crate::ops::{CrossEntropy, Pending, Statistics};
use crate::optim::OptimizerState;
use crate::schedule::ScheduleState;

/// Losses are read after this many steps at the latest, so that their records do not pile up on the device.
const STEPS_A_READ: usize = 1024;
/// And this often, where somebody watches.
const READ_INTERVAL: Duration = Duration::from_millis(100);
/// The parameters are copied to the host after an epoch when the last copy is this old.
pub(super) const COPY_INTERVAL: Duration = Duration::from_secs(1);

/// All who watch a training.
#[derive(Default)]
pub(super) struct Watchers<'a> {
    pub callbacks: Vec<&'a mut dyn Callback>,
    /// Whether any of them looks at steps.
    pub steps: bool,
}

impl Watchers<'_> {
    pub fn start(&mut self, run: &Run) -> Result<()> {
        self.callbacks.iter_mut().try_for_each(|callback| callback.on_start(run))
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        self.callbacks.iter_mut().try_for_each(|callback| callback.on_step(step))
    }

    /// All of them see the epoch, also where one has had enough.
    pub fn epoch(&mut self, model: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        let mut flow = ControlFlow::Continue(());
        for callback in &mut self.callbacks {
            if callback.on_epoch(model, epoch)?.is_break() {
                flow = ControlFlow::Break(());
            }
        }
        Ok(flow)
    }

    pub fn end(&mut self, history: &History) -> Result<()> {
        self.callbacks.iter_mut().try_for_each(|callback| callback.on_end(history))
    }
}

/// Steps whose losses are still on the device, and where they began.
struct UnderWay {
    /// Model and optimizer before the first of them, where a step that goes wrong is to be undone.
    before: Option<(Mlp, OptimizerState, ScheduleState)>,
    first: usize,
    pending: Vec<Pending>,
    since: Instant,
}

impl Job<'_> {
    /// One pass over the rows in this order.
    pub(super) fn pass(
        &self,
        epoch: usize,
        order: &[usize],
        model: &mut Mlp,
        course: &mut Course,
        watchers: &mut Watchers<'_>,
    ) -> Result<Statistics> {
        let steps: Vec<&[usize]> = order.chunks(self.options.batch).collect();
        let mut total = Statistics::default();
        let mut first = 0;
        while first < steps.len() {
            let guarded = self.options.stop_on_non_finite;
            let before = guarded.then(|| (model.clone(), course.optimizer.clone(), course.schedule));
            let mut under_way = UnderWay { before, first, pending: Vec::new(), since: Instant::now() };
            for rows in steps[first..].iter().take(STEPS_A_READ) {
                under_way.pending.push(self.step(rows, model, course)?);
                if watchers.steps && under_way.since.elapsed() >= READ_INTERVAL {
                    break;
                }
            }
            first += under_way.pending.len();
            for (index, statistics) in Pending::read_all(&under_way.pending)?.into_iter().enumerate() {
                let step = under_way.first + index;
                if guarded && statistics.non_finite_rows > 0 {
                    return Err(self.undo(epoch, step, &steps, under_way, statistics, model, course)?);
                }
                let rows_before = (step * self.options.batch) as u64;
                total = total.join(statistics, rows_before);
                watchers.step(&Step {
                    epoch,
                    step,
                    steps: steps.len(),
                    rows: rows_before as usize + steps[step].len(),
                    loss: Some(total.mean_loss()),
                    accuracy: Some(total.accuracy()),
                })?;
            }
        }
        Ok(total)
    }

    fn step(&self, rows: &[usize], model: &mut Mlp, course: &mut Course) -> Result<Pending> {
        course.optimizer.set_learning_rate(course.schedule.rate());
        course.schedule.end_of_step();
        let batch = self.rows.batch(&model.device, rows, model.classes())?;
        let mut options = self.step_options.clone();
        options.loss = CrossEntropy { sample_weights: batch.weights, ..options.loss };
        model.train_step_with(&batch.x, &batch.targets, &options, &mut course.optimizer)
    }

    /// Takes model and optimizer back to before the step that went wrong, by going through those before it once more, and says
    /// what it was.
    #[allow(clippy::too_many_arguments, reason = "one caller, and each is needed")]
    fn undo(
        &self,
        epoch: usize,
        step: usize,
        steps: &[&[usize]],
        under_way: UnderWay,
        bad: Statistics,
        model: &mut Mlp,
        course: &mut Course,
    ) -> Result<Error> {
        if let Some(before) = under_way.before {
            (*model, course.optimizer, course.schedule) = before;
        }
        for rows in &steps[under_way.first..step] {
            self.step(rows, model, course)?;
        }
        model.copy = model.parameters()?.into();
        let batch = self.rows.batch(&model.device, steps[step], model.classes())?;
        model.blame(&batch, Place { epoch, step, rows: steps[step] }, bad.first_bad_row)
    }
}
