//! Early sums: gradients of the last layers, which ranks add while those of the layers before them are still computed.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use crate::distributed::{Call, Ranks, communication};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::MatrixReading;
use crate::waiting::{Waiting, at_once};

/// The least number of values in a part, 4 MiB. A part has a round and messages of its own, which take about a tenth of the time
/// of such a sum on networks of 10 and of 100 Gbit/s (`benches/ranks`).
const LEAST_VALUES: usize = 1 << 20;
/// The most pieces of gradients that are sent to the host while a device computes others. Together they have 44 MiB. Of the 64 MiB
/// of staging memory that are kept for reads, this leaves enough for the gradients that are read at the end of a step.
const MOST_PIECES: usize = 11;

/// The layers whose gradients are added early, part by part in the order of the backward pass. The gradients of the first layer are
/// computed last, and are never added early.
fn parts(widths: &[usize]) -> Vec<Range<usize>> {
    let values = |layer: usize| (widths[layer] + 1) * widths[layer + 1];
    let (mut parts, mut end, mut size) = (Vec::new(), widths.len() - 1, 0);
    for layer in (1..end).rev() {
        size += values(layer);
        if size >= LEAST_VALUES {
            parts.push(layer..end);
            (end, size) = (layer, 0);
        }
    }
    parts
}

/// The channels to the thread that adds, and back.
struct Line {
    parts: Sender<Vec<f32>>,
    sums: Receiver<Result<Vec<f32>>>,
}

/// The thread that adds the parts over the ranks. It makes the messages of this rank, in the order in which the parts are handed
/// over, until [`EarlySums::take`] has returned.
pub(super) struct EarlySums {
    widths: Vec<usize>,
    parts: Vec<Range<usize>>,
    ranks: Ranks,
    /// The channels to the thread; none if there are no parts.
    line: Option<Line>,
    thread: Option<JoinHandle<()>>,
    /// The number of parts that were handed over and are not taken back.
    away: usize,
    /// The readings of parts that are complete, and of the part whose layers are being computed.
    complete: Vec<Vec<[MatrixReading; 2]>>,
    current: Vec<[MatrixReading; 2]>,
    pieces: usize,
}

impl EarlySums {
    /// Begins to add the gradients of a model with these widths.
    pub fn begin(ranks: &Ranks, widths: Vec<usize>) -> Result<Self> {
        // Browsers have no threads that could wait for messages.
        let possible = ranks.size() > 1 && !cfg!(target_family = "wasm");
        let parts = if possible { parts(&widths) } else { Vec::new() };
        let ranks = ranks.second_handle();
        let (mut line, mut thread) = (None, None);
        if !parts.is_empty() {
            let ((hand_over, handed), (tell, sums)) = (channel::<Vec<f32>>(), channel());
            let handle = ranks.second_handle();
            let add = move || {
                for mut values in handed {
                    let sums = handle.sum_in(Call::Gradients, &mut values).map(|()| values);
                    let failed = sums.is_err();
                    if tell.send(sums).is_err() || failed {
                        break;
                    }
                }
            };
            let started = Builder::new().name("wgpu-mlp sums".into()).spawn(add);
            thread = Some(started.map_err(|error| communication(error.into()))?);
            line = Some(Line { parts: hand_over, sums });
        }
        let (away, complete, current, pieces) = (0, Vec::new(), Vec::new(), MOST_PIECES);
        Ok(EarlySums { widths, parts, ranks, line, thread, away, complete, current, pieces })
    }

    /// The number of layers, from the first on, whose gradients are not added early.
    pub fn layers_left(&self) -> usize {
        self.parts.last().map_or(self.widths.len() - 1, |part| part.start)
    }

    /// Takes the gradients of a layer of this step, which are recorded. On the CPU path they are computed, so a part that is
    /// complete is handed over.
    pub fn after_layer(&mut self, layer: usize, (weights, biases): (Matrix, Matrix)) -> Result<()> {
        let weights = MatrixReading::start(weights, &mut self.pieces)?;
        let is_here = weights.is_here();
        self.current.push([weights, MatrixReading::start(biases, &mut self.pieces)?]);
        if self.parts.iter().any(|part| part.start == layer) {
            self.complete.push(std::mem::take(&mut self.current));
        }
        if is_here { at_once(self.hand_over(Waiting::Blocking)) } else { Ok(()) }
    }

    /// Waits for the parts that are complete, one after the other, and hands each over.
    pub async fn hand_over(&mut self, waiting: Waiting) -> Result<()> {
        for layers in std::mem::take(&mut self.complete) {
            let mut values = self.room()?;
            for [weights, biases] in layers.into_iter().rev() {
                weights.arrive_into(waiting, &mut values).await?;
                biases.arrive_into(waiting, &mut values).await?;
            }
            self.send(values);
        }
        self.pieces = MOST_PIECES;
        Ok(())
    }

    /// Hands over zeros for all parts, on a rank without rows in this step.
    pub fn hand_over_zeros(&mut self) -> Result<()> {
        for part in 0..self.parts.len() {
            let mut values = self.room()?;
            values.resize(self.length(part), 0.0);
            self.send(values);
        }
        Ok(())
    }

    /// Ends the early sums of a step whose other results are given, and returns these with the sums of the parts. After an error of
    /// this rank, an error of the ranks that came before it is returned instead, since all ranks know that one.
    pub fn take<T>(&mut self, own: Result<T>) -> Result<(T, Vec<Vec<f32>>)> {
        self.complete.clear();
        self.current.clear();
        let mut sums = Vec::with_capacity(self.away);
        for _ in 0..std::mem::take(&mut self.away) {
            let Some(line) = &self.line else { break };
            match line.sums.recv() {
                Ok(Ok(values)) => sums.push(values),
                Ok(Err(error)) => {
                    if let Err(own) = &own {
                        log::warn!("rank {}: {own}; an error of the ranks is reported instead", self.ranks.rank());
                    }
                    return Err(error);
                }
                // Only a panic of the communicator ends the thread without an error. It continues here, as a panic in any other
                // message of the training does.
                Err(_) => match self.thread.take().map(JoinHandle::join) {
                    Some(Err(panic)) => resume_unwind(panic),
                    _ => return Err(communication("the thread that adds gradients has ended".into())),
                },
            }
        }
        own.map(|own| (own, sums))
    }

    /// Room for the next part's values.
    fn room(&self) -> Result<Vec<f32>> {
        self.ranks.room_to_sum("fit", self.length(self.away))
    }

    /// The number of values in a part.
    fn length(&self, part: usize) -> usize {
        let layers = self.parts.get(part).cloned().unwrap_or_default();
        layers.map(|layer| (self.widths[layer] + 1) * self.widths[layer + 1]).sum()
    }

    fn send(&mut self, values: Vec<f32>) {
        self.away += 1;
        if let Some(line) = &self.line {
            // If the thread has ended with an error, that error waits to be taken.
            let _ = line.parts.send(values);
        }
    }
}

impl Drop for EarlySums {
    /// Waits until no message of this rank is under way, so that it can tell the others why it leaves.
    fn drop(&mut self) {
        self.line = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::device::Device;
    use crate::error::{Error, RanksError};
    use crate::mlp::{Mlp, StepOptions};
    use crate::ops::bank::Gradient;
    use crate::ops::{GradientRoom, Pending};
    use crate::targets::Targets;

    const WIDE: [usize; 5] = [3, 1100, 1000, 1100, 2];

    #[test]
    fn parts_are_long_and_leave_the_first_layer() {
        assert!(parts(&[784, 512, 10]).is_empty() && parts(&[3000, 3000]).is_empty());
        assert_eq!(parts(&[1024, 4096, 4096, 1000]), [2..3, 1..2]);
        assert_eq!(parts(&WIDE), [2..4, 1..2]);
        // Layers that are too short by themselves are added together.
        assert_eq!(parts(&[4, 800, 800, 800, 3]), std::slice::from_ref(&(1..4)));
    }

    /// The gradients of a step of this rank, added early and in one sum.
    fn both_ways(ranks: &Ranks) -> Result<[Vec<u32>; 2]> {
        let device = Device::cpu();
        let model = Mlp::new(&device, &WIDE, 1)?;
        let x = Matrix::from_slice(&device, 2, 3, &[0.1, -0.4, 1.0, 0.7, 0.2 * ranks.rank() as f32, -0.3])?;
        let y = Targets::classes(&device, &[0u8, 1], 2)?;
        let mut early = EarlySums::begin(ranks, model.widths())?;
        assert_eq!(early.layers_left(), 1);
        let mut after = |layer: usize, room: &GradientRoom, gradients: &[Gradient; 2]| match layer {
            0 => Ok(()),
            _ => early.after_layer(layer, room.whole(gradients)?),
        };
        let recorded = model.record_share((&x, &[0, 1]), &y, &StepOptions::default(), 0, &mut after);
        let (recorded, parts) = early.take(recorded)?;
        let read = |matrices: &[Matrix]| at_once(Pending::read_all(Waiting::Blocking, &[], matrices));
        let (all, mut first) = (read(&recorded.whole(4)?)?.1.concat(), read(&recorded.whole(1)?)?.1.concat());
        let mut whole = all;
        ranks.sum(&mut whole)?;
        ranks.sum(&mut first)?;
        assert_eq!(parts.len(), 2);
        let early = [&first, &parts[1], &parts[0]].into_iter().flatten().map(|value| value.to_bits());
        Ok([early.collect(), whole.iter().map(|value| value.to_bits()).collect()])
    }

    #[test]
    fn early_sums_have_the_bits_of_one_sum() {
        for outcome in Ranks::in_threads(3, both_ways) {
            let [early, whole] = outcome.unwrap();
            assert!(early == whole && early.iter().any(|bits| *bits != 0));
        }
    }

    /// While parts of a rank that panics are on their way, no other message of it may be. The others are told of the panic after
    /// them.
    #[test]
    fn a_panic_is_told_after_the_parts_that_are_on_their_way() {
        let outcomes = Ranks::in_threads(2, |ranks| {
            let call = || {
                ranks.in_call(Call::Fit, || {
                    let mut early = EarlySums::begin(ranks, WIDE.to_vec())?;
                    early.hand_over_zeros()?;
                    if ranks.rank() == 0 {
                        resume_unwind(Box::new("a panic of a test"));
                    }
                    let ((), parts) = early.take(Ok(()))?;
                    Ok(parts.len())
                })
            };
            let outcome = catch_unwind(AssertUnwindSafe(call)).unwrap_or(Ok(0));
            let next = ranks.agree(Ok::<_, Error>(())).is_ok();
            Ok::<_, Error>((outcome.map_err(|error| error.to_string()), next))
        });
        let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes, [(Ok(0), true), (Err("rank 0: panicked".into()), true)]);
    }

    /// Rank 1 fails while rank 0's first part waits for it. Then rank 0 fails, too, but all ranks already have an error.
    #[test]
    fn an_error_of_the_ranks_comes_before_one_of_this_rank() {
        let none = || Error::NoForward { layer: "of a test", call: "backward" };
        let outcomes = Ranks::in_threads(2, |ranks| {
            ranks.in_call(Call::Fit, || {
                let mut early = EarlySums::begin(ranks, WIDE.to_vec())?;
                if ranks.rank() == 0 {
                    early.hand_over_zeros()?;
                }
                early.take(Err::<(), _>(none())).map(drop)
            })
        });
        for outcome in outcomes {
            match outcome {
                Err(Error::Ranks(RanksError::Failed { rank: 1, source })) => {
                    assert_eq!(source.to_string(), none().to_string());
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
