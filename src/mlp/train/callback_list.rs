//! The list of callbacks that watch a training.

use std::ops::ControlFlow;

use super::callback::{Callback, Run, Step};
use super::history::{Epoch, History};
use crate::error::Result;
use crate::mlp::Mlp;

/// The callbacks of a training, and whether they have ended it.
#[derive(Default)]
pub(super) struct CallbackList<'a> {
    callbacks: Vec<&'a mut (dyn Callback + 'a)>,
    /// Whether a callback has ended the training in a step.
    pub stopped: bool,
    /// Whether the last epoch was shortened, because a callback ended the training in a step.
    pub shortened: bool,
}

impl<'a> CallbackList<'a> {
    pub fn push(&mut self, callback: &'a mut (dyn Callback + 'a)) {
        self.callbacks.push(callback);
    }

    /// Whether any of the callbacks watches steps.
    pub fn watches_steps(&self) -> bool {
        self.callbacks.iter().any(|callback| callback.watches_steps())
    }

    pub fn on_start(&mut self, run: &Run) -> Result<()> {
        self.callbacks.iter_mut().try_for_each(|callback| callback.on_start(run))
    }

    /// Calls all callbacks, even after one of them has ended the training.
    pub fn on_step(&mut self, step: &Step) -> Result<()> {
        for callback in &mut self.callbacks {
            self.stopped |= callback.on_step(step)?.is_break();
        }
        Ok(())
    }

    /// Calls all callbacks, even after one of them has ended the training.
    pub fn on_epoch(&mut self, model: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        let mut flow = ControlFlow::Continue(());
        for callback in &mut self.callbacks {
            if callback.on_epoch(model, epoch)?.is_break() {
                flow = ControlFlow::Break(());
            }
        }
        Ok(flow)
    }

    pub fn on_end(&mut self, history: &History) -> Result<()> {
        self.callbacks.iter_mut().try_for_each(|callback| callback.on_end(history))
    }
}
