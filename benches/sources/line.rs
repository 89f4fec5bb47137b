//! The lines of the table: each is measured in rounds, and in each round together with the array.

use ndarray::Array2;
use wgpu_mlp::Device;
use wgpu_mlp::data::read_npy_labels;
use wgpu_mlp::source::RowSource;

use crate::alone;
use crate::cache::{self, Cache};
use crate::files::{Files, Kind};
use crate::memory::Watch;
use crate::rows::{Part, Way};
use crate::training::{Model, Training};
use crate::{Args, Outcome, named};

/// The measurement, and the facts about it that are printed below the table.
pub(crate) struct Bench<'a> {
    args: &'a Args,
    device: &'a Device,
    files: &'a Files,
    /// The largest share of a file that was in the page cache although it should not be; `None` if it is not known.
    remained: Option<f64>,
    /// Epochs whose parameters were compared with those of the array, or of another way to read the same file.
    compared: usize,
}

/// An array in memory, with which files are compared.
struct Beside {
    rows: Array2<f32>,
    labels: Vec<i64>,
}

/// One line: the rows that are read, and the way of reading.
struct Line<'a> {
    training: &'a Training<'a>,
    cache: Cache,
    kind: Kind,
    way: Way,
    part: &'a Part,
    workers: usize,
}

impl Line<'_> {
    /// The options of the command line that select only this line.
    fn options(&self) -> [(&'static str, String); 5] {
        [
            ("--models", named(self.training.model)),
            ("--types", named(self.kind)),
            ("--ways", named(self.way)),
            ("--caches", named(self.cache)),
            ("--workers", self.workers.to_string()),
        ]
    }
}

/// The rounds' rows a second, the array's first.
type Rounds = Vec<[f64; 2]>;

impl<'a> Bench<'a> {
    pub(crate) fn new(args: &'a Args, device: &'a Device, files: &'a Files) -> Self {
        Bench { args, device, files, remained: Some(0.0), compared: 0 }
    }

    /// Measures and prints all lines of a model and a state of the page cache.
    pub(crate) fn lines(&mut self, model: Model, cache: Cache) -> Outcome<()> {
        let training = self.training(model);
        let labels = read_npy_labels(self.files.labels())?;
        let floats = self.part(Kind::F32, cache, &labels);
        let rows = floats.array(&self.files.features(Kind::F32))?;
        let beside = Beside { rows, labels: floats.labels };
        for kind in &self.args.types {
            let part = self.part(*kind, cache, &labels);
            // f32 must give the array's bits, and each other type the same bits in all ways.
            let mut bits = None;
            if *kind == Kind::F32 {
                bits = Some(training.epoch(&beside.rows, &beside.labels, 0)?.1);
            }
            for way in self.args.ways.iter().filter(|way| **way != Way::View || *kind == Kind::F32) {
                for workers in self.args.workers.iter().filter(|workers| *way != Way::View || **workers == 0) {
                    let (kind, way, workers) = (*kind, *way, *workers);
                    let line = Line { training: &training, cache, kind, way, part: &part, workers };
                    let rounds = self.measure(&line, &beside, &mut bits)?;
                    print(&line, &rounds, alone::own_memory(self.args, &line.options())?);
                }
            }
        }
        Ok(())
    }

    /// The work of a process that measures the memory: an epoch of the first line, without an array in memory. Prints the
    /// bytes.
    pub(crate) fn epoch_alone(&self) -> Outcome<()> {
        let args = self.args;
        let (kind, workers) = (args.types[0], args.workers[0]);
        let watch = Watch::start();
        let part = self.part(kind, args.caches[0], &read_npy_labels(self.files.labels())?);
        let epoch = |rows: &dyn RowSource| Ok(self.training(args.models[0]).epoch(rows, &part.labels, workers)?);
        args.ways[0].read(&self.files.features(kind), &part, epoch)?;
        println!("{}", watch.peak().map_or_else(|| "unknown".into(), |peak| peak.own.to_string()));
        Ok(())
    }

    fn training(&self, model: Model) -> Training<'a> {
        let Args { optimizer, batch, seed, .. } = *self.args;
        Training { device: self.device, model, optimizer, batch: batch.get(), seed }
    }

    /// The rows of this type's epochs.
    fn part(&self, kind: Kind, cache: Cache, labels: &[i64]) -> Part {
        let count = if cache == Cache::Cold { self.args.cold_rows } else { self.args.rows_per_run };
        Part::draw(count.get(), self.files.rows(kind), labels, self.args.seed)
    }

    /// Measures a line. The first round is used only to compare the bits.
    fn measure(&mut self, line: &Line<'_>, beside: &Beside, bits: &mut Option<Vec<u32>>) -> Outcome<Rounds> {
        let path = self.files.features(line.kind);
        let mut rounds = Rounds::new();
        let mut round = |rows: &dyn RowSource| -> Outcome<()> {
            let (array, _) = line.training.epoch(&beside.rows, &beside.labels, 0)?;
            let (file, found) = line.training.epoch(rows, &line.part.labels, line.workers)?;
            rounds.push([
                beside.labels.len() as f64 / array.as_secs_f64(),
                line.part.labels.len() as f64 / file.as_secs_f64(),
            ]);
            if line.way != Way::View {
                self.compared += 1;
                if *bits.get_or_insert_with(|| found.clone()) != found {
                    let (way, workers) = (line.way.title(), line.workers);
                    return Err(format!("{} by {way}, {workers} workers: other parameters", line.kind).into());
                }
            }
            Ok(())
        };
        let count = 1 + self.args.epochs.get();
        match line.cache {
            Cache::Warm => {
                cache::warm(&path)?;
                line.way.read(&path, line.part, |rows| (0..count).try_for_each(|_| round(rows)))?;
            }
            Cache::Cold => {
                for _ in 0..count {
                    let remained = cache::evict(&path)?;
                    self.remained = self.remained.zip(remained).map(|(most, now)| most.max(now));
                    line.way.read(&path, line.part, &mut round)?;
                }
            }
        }
        rounds.remove(0);
        Ok(rounds)
    }

    /// The facts that the table does not show.
    pub(crate) fn remarks(&self) -> String {
        let Args { batch, epochs, rows_per_run, cold_rows, .. } = self.args;
        let remained = match self.remained {
            Some(most) => format!("at most {:.1} % of a file remained", 100.0 * most),
            None => "not looked at, since there is no `fincore`".into(),
        };
        let cold = match self.args.caches.contains(&Cache::Cold) {
            true => format!(", {cold_rows} where the cache is cold (by `dd iflag=nocache`; {remained})"),
            false => String::new(),
        };
        format!(
            "Batches of {batch}; {rows_per_run} rows an epoch{cold}; medians of {epochs} epochs. The parameters of {} epochs had \
             the bits they should have.",
            self.compared
        )
    }
}

fn print(line: &Line<'_>, rounds: &Rounds, own: Option<u64>) {
    let [array, file] = [0, 1].map(|index| median(rounds.iter().map(|rates| rates[index])));
    let ratio = median(rounds.iter().map(|[array, file]| file / array));
    println!(
        "| {} | {}, {} | {} | {} | {file:.0} | {array:.0} | {ratio:.2} | {:.2} | {} |",
        line.training.model,
        line.kind,
        line.way.title(),
        named(line.cache),
        line.workers,
        file * line.kind.row_bytes() as f64 / 1e9,
        own.map_or_else(|| "unknown".into(), |own| format!("{:.0}", own as f64 / 1e6)),
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
