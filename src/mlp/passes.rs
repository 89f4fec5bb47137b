//! A pass over the rows: step after step without a wait, losses read now and then, and a way back when one goes wrong.

use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use super::Mlp;
use super::blame::Place;
use super::callback::{Callback, Run, Step};
use super::checkpoint::Course;
use super::history::{Epoch, History};
use super::job::Job;
use crate::error::{Error, Result};
use crate::ops::{CrossEntropy, Pending, Statistics};
use crate::optim::OptimizerState;
use crate::plan::DryStep;
use crate::schedule::ScheduleState;
use crate::waiting::Waiting;

/// Losses are read after this many steps at the latest, so that their records do not pile up on the device.
const STEPS_A_READ: usize = 1024;
/// And this often, where somebody watches.
const READ_INTERVAL: Duration = Duration::from_millis(100);
/// The parameters are copied to the host after an epoch when the last copy is this old.
pub(super) const COPY_INTERVAL: Duration = Duration::from_secs(1);

/// All who watch a training.
pub(super) struct Watchers<'a, C: ?Sized> {
    pub callbacks: Vec<&'a mut C>,
    /// Whether any of them looks at steps.
    pub steps: bool,
    /// Whether one of them has ended the training in a step.
    pub stopped: bool,
    /// Whether the last epoch is short of steps for that.
    pub cut: bool,
}

impl<C: Callback + ?Sized> Watchers<'_, C> {
    pub fn start(&mut self, run: &Run) -> Result<()> {
        self.callbacks.iter_mut().try_for_each(|callback| callback.on_start(run))
    }

    /// All of them see the step, also where one has had enough.
    fn step(&mut self, step: &Step) -> Result<()> {
        for callback in &mut self.callbacks {
            self.stopped |= callback.on_step(step)?.is_break();
        }
        Ok(())
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

/// Model, optimizer and schedule as they were.
struct Before(Mlp, OptimizerState, ScheduleState);

impl Before {
    fn of(model: &Mlp, course: &Course) -> Self {
        Before(model.clone(), course.optimizer.clone(), course.schedule)
    }

    fn restore(self, model: &mut Mlp, course: &mut Course) {
        (*model, course.optimizer, course.schedule) = (self.0, self.1, self.2);
    }
}

/// The steps of an epoch: the caller's numbers of each one's rows.
struct Steps<'a> {
    epoch: usize,
    rows: Vec<&'a [usize]>,
}

impl Job<'_> {
    /// One pass over the rows in this order.
    pub(super) async fn pass<C: Callback + ?Sized>(
        &self,
        epoch: usize,
        order: &[usize],
        model: &mut Mlp,
        course: &mut Course,
        watchers: &mut Watchers<'_, C>,
    ) -> Result<(Statistics, usize)> {
        let steps = Steps { epoch, rows: order.chunks(self.options.batch).collect() };
        if self.waiting == Waiting::Blocking {
            self.prepare(&steps, model, &course.optimizer);
        }
        let mut total = Statistics::default();
        let mut first = 0;
        while first < steps.rows.len() && !watchers.stopped {
            let before = self.options.stop_on_non_finite.then(|| Before::of(model, course));
            let pending = self.run_steps(&steps.rows[first..], model, course, watchers.steps).await?;
            let look = before.is_some().then(|| model.look(&course.optimizer)).transpose()?;
            let (read, look) = Pending::read_all(self.waiting, &pending, look.as_ref()).await?;
            let bad = read.iter().position(|statistics| statistics.non_finite_rows > 0).filter(|_| before.is_some());
            for (step, statistics) in (first..).zip(&read[..bad.unwrap_or(read.len())]) {
                total = total.join(*statistics, (step * self.options.batch) as u64);
                watchers.step(&self.seen(&steps, step, &total))?;
            }
            if let Some(before) = before {
                let bad_row = bad.map(|step| (first + step, read[step].first_bad_row));
                if bad_row.is_some() || model.spoiled(self.waiting, look, &course.optimizer).await?.is_some() {
                    let end = bad_row.unwrap_or((first + read.len(), None));
                    let error = self.undo(&steps, first, end, before, model, course).await?;
                    log::warn!("{error}: the step is undone");
                    return Err(error);
                }
            }
            first += read.len();
        }
        watchers.cut = first < steps.rows.len();
        Ok((total, first))
    }

    /// Compiles what the steps launch, the last of which may be shorter.
    fn prepare(&self, steps: &Steps<'_>, model: &mut Mlp, state: &OptimizerState) {
        let (weighted, looked_at) = (self.rows.weights.is_some(), self.options.stop_on_non_finite);
        for rows in steps.rows.first().into_iter().chain(steps.rows.last()) {
            model.prepare(
                DryStep { rows: rows.len(), weighted, distributed: false, looked_at },
                &self.step_options,
                state,
            );
        }
    }

    /// Steps without a wait, until it is time to read their losses.
    async fn run_steps(
        &self,
        steps: &[&[usize]],
        model: &mut Mlp,
        course: &mut Course,
        watched: bool,
    ) -> Result<Vec<Pending>> {
        let (mut pending, since) = (Vec::new(), Instant::now());
        for rows in steps.iter().take(STEPS_A_READ) {
            pending.push(self.step(rows, model, course).await?);
            if watched && since.elapsed() >= READ_INTERVAL {
                break;
            }
        }
        Ok(pending)
    }

    /// What watchers are told of a step.
    fn seen(&self, steps: &Steps<'_>, step: usize, total: &Statistics) -> Step {
        Step {
            epoch: steps.epoch,
            step,
            steps: steps.rows.len(),
            rows: step * self.options.batch + steps.rows[step].len(),
            loss: Some(total.mean_loss()),
            accuracy: Some(total.accuracy()),
        }
    }

    /// A step happens as a whole: a future that is dropped stops between two.
    async fn step(&self, rows: &[usize], model: &mut Mlp, course: &mut Course) -> Result<Pending> {
        model.device.make_room(self.waiting).await?;
        course.optimizer.set_learning_rate(course.schedule.rate());
        course.schedule.end_of_step();
        let batch = self.rows.batch(&model.device, rows, model.classes())?;
        let mut options = self.step_options.clone();
        options.loss = CrossEntropy { sample_weights: batch.weights, ..options.loss };
        model.record_step(&batch.x, &batch.targets, &options, &mut course.optimizer)
    }

    /// Takes model and optimizer back to before the step that went wrong, and says what it was: of those from `first` on, the
    /// first whose update left a parameter, or what the optimizer keeps, that is not finite; else step `end`, for its loss
    /// and the row where that shows.
    async fn undo(
        &self,
        steps: &Steps<'_>,
        first: usize,
        (end, bad_row): (usize, Option<u64>),
        before: Before,
        model: &mut Mlp,
        course: &mut Course,
    ) -> Result<Error> {
        let again = Before(before.0.clone(), before.1.clone(), before.2);
        before.restore(model, course);
        for rows in &steps.rows[first..end] {
            self.step(rows, model, course).await?;
        }
        let last = model.layers.len().saturating_sub(1);
        let (mut at, mut cause) = (end.min(steps.rows.len() - 1), ("softmax_cross_entropy", last, bad_row));
        if model.spoiled_now(self.waiting, &course.optimizer).await?.is_some() {
            again.restore(model, course);
            if let Some((step, (op, layer))) = self.undo_update(steps, first..end, model, course).await? {
                (at, cause) = (step, (op, layer, None));
            }
        }
        model.copy = model.parameters_by(self.waiting).await?.into();
        let rows = steps.rows[at];
        let batch = self.rows.batch(&model.device, rows, model.classes())?;
        model.blame(self.waiting, &batch, Place { epoch: steps.epoch, step: at, rows }, cause).await
    }

    /// Goes through these steps until an update leaves something that is not finite, and takes that one back: the step, what
    /// it was, and its layer.
    async fn undo_update(
        &self,
        steps: &Steps<'_>,
        range: Range<usize>,
        model: &mut Mlp,
        course: &mut Course,
    ) -> Result<Option<(usize, (&'static str, usize))>> {
        for step in range {
            let before = Before::of(model, course);
            self.step(steps.rows[step], model, course).await?;
            if let Some(what) = model.spoiled_now(self.waiting, &course.optimizer).await? {
                before.restore(model, course);
                return Ok(Some((step, what)));
            }
        }
        Ok(None)
    }
}
