//! Joint: a training over ranks. Its ranks compare their settings at the start, and agree on each step.

use std::ops::Range;

use super::flat::{checksum, flattened, unflattened};
use super::options::FitOptions;
use crate::distributed::{Call, Numbers, Ranks};
use crate::error::{Error, RanksError, Result};
use crate::layers::parameters::Parameters;
use crate::mlp::Mlp;
use crate::statistics::Statistics;
use crate::waiting::Waiting;

/// The ranks of a training, and the place of this rank's rows among the rows of all ranks.
pub(super) struct Joint<'a> {
    pub ranks: &'a Ranks,
    /// The numbers of this rank's rows among the rows of all ranks, which are counted in the order of the ranks.
    pub own: Range<usize>,
    /// The number of rows of all ranks together.
    pub rows: usize,
    /// Whether the ranks' devices are of different kinds, on which updates may round differently.
    pub mixed: bool,
}

/// The report of one rank about a step or a validation, which it sends to the others.
#[derive(Clone, Copy, Default)]
pub(super) struct Word {
    pub statistics: Statistics,
    /// Whether a callback asks for the end of the training.
    pub stopped: bool,
    /// Whether the last update left a value that is not finite.
    pub broken: bool,
}

impl From<Word> for Numbers {
    fn from(Word { statistics, stopped, broken }: Word) -> Numbers {
        let Statistics { loss_sum, weight_sum, correct, rows, non_finite_rows, .. } = statistics;
        let [stopped, broken] = [stopped, broken].map(u64::from);
        [loss_sum.to_bits(), weight_sum.to_bits(), correct, rows, non_finite_rows, stopped, broken, 0]
    }
}

impl From<Numbers> for Word {
    fn from([loss_sum, weight_sum, correct, rows, non_finite_rows, stopped, broken, _]: Numbers) -> Word {
        let [loss_sum, weight_sum] = [loss_sum, weight_sum].map(f64::from_bits);
        let statistics = Statistics { loss_sum, weight_sum, correct, rows, non_finite_rows, first_bad_row: None };
        Word { statistics, stopped: stopped != 0, broken: broken != 0 }
    }
}

impl<'a> Joint<'a> {
    /// Begins a training in which this rank has this number of rows: compares the settings of the ranks.
    pub fn begin(ranks: &'a Ranks, model: &Mlp, own: usize, described: Vec<(&'static str, String)>) -> Result<Self> {
        compare(ranks, Call::Fit, &described)?;
        let devices = ranks.gather(Call::Fit, model.device.likeness().as_bytes())?;
        let mixed = devices.iter().any(|device| *device != devices[0]);
        let mut numbers = Numbers::default();
        numbers[0] = own as u64;
        let all: Vec<_> = ranks.round(Call::Fit, Ok(numbers))?.iter().map(|numbers| numbers[0]).collect();
        let (rank, size, needed) = (ranks.rank(), ranks.size(), all.iter().sum());
        let too_many = |_| Error::Limit { op: "fit", what: "rows of all ranks", needed, allowed: usize::MAX as u64 };
        let rows = usize::try_from(needed).map_err(too_many)?;
        let first = all[..rank].iter().sum::<u64>() as usize;
        log::info!("fit: rank {rank} of {size} has {own} of {rows} rows, on {}", model.device.likeness());
        Ok(Joint { ranks, own: first..first + own, rows, mixed })
    }

    /// The class ids of all ranks' rows, in the order of the ranks.
    pub fn all_ids(&self, own: &[u32]) -> Result<Vec<u32>> {
        self.ranks.joined(Call::Fit, own)
    }

    /// The largest of the ranks' numbers. None of them may be negative.
    pub fn largest(&self, own: f32) -> Result<f32> {
        let mut numbers = Numbers::default();
        numbers[0] = own.to_bits().into();
        let all = self.ranks.round(Call::Fit, Ok(numbers))?;
        Ok(all.iter().map(|numbers| f32::from_bits(numbers[0] as u32)).fold(0.0, f32::max))
    }

    /// The counts of all ranks, added up element by element.
    pub fn sum_counts(&self, own: &[u64]) -> Result<Vec<u64>> {
        self.ranks.sum_counts(Call::Fit, own)
    }

    /// Gives the model the parameters of rank 0's model.
    pub async fn take_parameters(&self, waiting: Waiting, model: &mut Mlp) -> Result<()> {
        let own = match self.ranks.rank() {
            0 => flattened(&model.parameters_by(waiting).await?),
            _ => Vec::new(),
        };
        let first = self.ranks.gather(Call::Fit, bytemuck::cast_slice(&own))?.swap_remove(0);
        if self.ranks.rank() > 0 {
            let layers = unflattened(&model.parameter_shapes(), &bytemuck::pod_collect_to_vec(&first))?;
            model.replace_parameters(layers)?;
        }
        Ok(())
    }

    /// Sends this rank's report, and returns the reports of all ranks joined to one.
    pub fn agree(&self, call: Call, own: Word) -> Result<Word> {
        let joined = |all: Word, one: Numbers| {
            let Word { statistics, stopped, broken } = one.into();
            Word {
                statistics: all.statistics.join(statistics, 0),
                stopped: all.stopped || stopped,
                broken: all.broken || broken,
            }
        };
        Ok(self.ranks.round(call, Ok(own.into()))?.into_iter().fold(Word::default(), joined))
    }

    /// Whether the answer of any rank is true.
    pub fn any(&self, call: Call, own: bool) -> Result<bool> {
        Ok(self.agree(call, Word { stopped: own, ..Word::default() })?.stopped)
    }

    /// The error that another rank is about to report.
    pub fn told(&self) -> Error {
        let silent = || RanksError::Failed { rank: self.ranks.rank(), source: "no rank said what is wrong".into() };
        self.ranks.round(Call::Step, Ok(Numbers::default())).err().unwrap_or_else(|| Error::Ranks(silent()))
    }

    /// Selects those of these row numbers that are this rank's rows. Returns each as its number in this rank's source, with its
    /// place among the given numbers.
    pub fn own_of(&self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = (usize, u64)> {
        let places = rows.zip(0..).filter(|(row, _)| self.own.contains(row));
        places.map(|(row, place)| (row - self.own.start, place))
    }

    /// Whether all ranks have the same parameters after an epoch, bit for bit: their checksums are compared.
    pub fn are_alike(&self, epoch: usize, parameters: &[Parameters]) -> Result<bool> {
        let mut numbers = Numbers::default();
        numbers[0] = checksum(parameters);
        let all = self.ranks.round(Call::Epoch, Ok(numbers))?;
        let alike = all.iter().all(|other| *other == all[0]);
        if !alike {
            log::warn!("fit: the ranks' parameters differ after epoch {epoch}: all ranks take those of rank 0");
        }
        Ok(alike)
    }
}

/// The options and model properties that must be equal on all ranks of a training.
pub(super) fn described(model: &Mlp, options: &FitOptions) -> Vec<(&'static str, String)> {
    // Each field is named, so that a new option cannot be forgotten here. Only the number of workers may differ between ranks.
    macro_rules! named {
        ($($option:ident)*) => {{
            let FitOptions { $($option,)* workers: _ } = options;
            [$((stringify!($option), format!("{:?}", $option))),*]
        }};
    }
    let options = named! {
        epochs batch optimizer schedule warm_up_steps shuffle seed class_weights ignore_index label_smoothing dropout penalties
        clip_norm validation_fraction early_stopping stop_on_non_finite
    };
    let version = ("the crate's version", env!("CARGO_PKG_VERSION").into());
    [version, ("the model's widths", format!("{:?}", model.widths()))].into_iter().chain(options).collect()
}

/// Refuses ranks whose settings differ. Each setting is a name and a value; neither may contain a tab or a new line.
pub(in crate::mlp) fn compare(ranks: &Ranks, call: Call, described: &[(&'static str, String)]) -> Result<()> {
    let own: Vec<_> = described.iter().map(|(what, value)| format!("{what}\t{value}")).collect();
    let all = ranks.gather(call, own.join("\n").as_bytes())?;
    let all: Vec<_> = all.iter().map(|text| String::from_utf8_lossy(text)).collect();
    for (rank, text) in all.iter().enumerate() {
        if let Some((line, wanted)) = text.lines().zip(all[0].lines()).find(|(line, wanted)| line != wanted) {
            let (what, value) = line.split_once('\t').unwrap_or(("their versions", line));
            let wanted = wanted.split_once('\t').map_or(wanted, |(_, wanted)| wanted);
            let (what, value, wanted) = (what.into(), value.into(), wanted.into());
            return Err(ranks.seen_by_all(call, RanksError::Differ { what, rank, value, wanted }));
        }
        if text.lines().count() != all[0].lines().count() {
            let what = "the number of options that this version knows".into();
            let [value, wanted] = [text, &all[0]].map(|text| text.lines().count().to_string());
            return Err(ranks.seen_by_all(call, RanksError::Differ { what, rank, value, wanted }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;

    type Described = (&'static str, String);

    /// The outcome of the comparison on each of two ranks, whose settings are given.
    fn told(first: &[Described], second: &[Described]) -> Vec<String> {
        let own = |ranks: &Ranks| if ranks.rank() == 0 { first } else { second };
        let outcomes = Ranks::in_threads(2, |ranks| compare(ranks, Call::Fit, own(ranks)));
        let words = |outcome: Result<()>| outcome.err().map_or_else(|| "alike".into(), |error| error.to_string());
        outcomes.into_iter().map(words).collect()
    }

    #[test]
    fn each_thing_that_differs_is_told_on_both_ranks() -> Result<()> {
        let first = described(&Mlp::new(&Device::cpu(), &[4, 3], 0)?, &FitOptions::default());
        assert_eq!(told(&first, &first.clone()), ["alike"; 2]);
        for (index, (what, value)) in first.iter().enumerate() {
            let mut second = first.clone();
            second[index].1 = "another".into();
            let words = format!("the ranks differ in {what}: another on rank 1, {value} on rank 0");
            assert_eq!(told(&first, &second), [words.as_str(); 2]);
        }
        Ok(())
    }

    #[test]
    fn versions_are_compared_before_all_else() {
        let of = |version: &str, batch: usize| -> Vec<Described> {
            vec![("the crate's version", version.into()), ("batch", batch.to_string())]
        };
        let words = "the ranks differ in the crate's version: 0.2.0 on rank 1, 0.1.0 on rank 0";
        assert_eq!(told(&of("0.1.0", 8), &of("0.2.0", 9)), [words; 2]);
        // A later version may know more options.
        let more = [of("0.1.0", 8), of("0.1.0", 8)].concat();
        let words = "the ranks differ in the number of options that this version knows: 4 on rank 1, 2 on rank 0";
        assert_eq!(told(&of("0.1.0", 8), &more), [words; 2]);
    }
}
