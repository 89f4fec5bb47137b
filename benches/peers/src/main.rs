//! Times wgpu-mlp beside its peers; the README says how to read it.

mod job;
mod machine;
mod peer;
mod reference;
mod table;
mod worker;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

use job::{Inputs, Job};
use peer::Row;
use reference::Reference;
use table::{Outcome, Table, Timing, median, time};
use worker::Worker;

/// Seconds that a peer works on a job in a round.
const ROUND: f64 = 0.5;
const MOST_CALLS: f64 = 200.0;
/// Between peers: thread pools that wait awake for more work have gone to sleep by then.
const PAUSE: Duration = Duration::from_millis(150);

/// Times wgpu-mlp beside Burn, candle, ndarray and NumPy
#[derive(Parser)]
struct Options {
    /// Of A, B, C, D1, D2
    #[arg(long, value_delimiter = ',')]
    jobs: Vec<String>,
    /// Of wgpu-mlp, burn, wgpu-mlp-cpu, ndarray, candle, burn-flex, numpy
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Every round runs each peer once a job
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// One round, and D with 4,096 rows: shows that everything works
    #[arg(long)]
    quick: bool,
    /// Also the first call of each wgpu peer in a fresh process without Mesa's shader cache: minutes for Burn
    #[arg(long)]
    cold: bool,
    /// Writes the table to this file, too
    #[arg(long)]
    out: Option<PathBuf>,
    /// A Python with NumPy
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// How this program starts itself for each peer
    #[arg(long, hide = true)]
    worker: Option<String>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut rows = peer::rows();
    if let Some(key) = &options.worker {
        return worker::serve(rows.iter().find(|row| row.key == key).context("no such peer")?);
    }
    let mut jobs = job::all(options.quick);
    let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
    known(&options.peers, &keys)?;
    known(&options.jobs, &jobs.iter().map(|job| job.letter).collect::<Vec<_>>())?;
    rows.retain(|row| options.peers.is_empty() || options.peers.iter().any(|key| key == row.key));
    jobs.retain(|job| options.jobs.is_empty() || options.jobs.iter().any(|letter| letter == job.letter));

    let mut header = vec![
        format!("{}, {}, {} threads", machine::date(), machine::processor(), machine::threads()),
        format!("load before it began: {}", machine::load()),
        format!("command: `peers {}`", command()),
    ];
    let mut adapters = Vec::new();
    let mut bench = Bench { options, peers: Vec::new() };
    for row in &rows {
        let worker = Worker::start(row, &bench.options.python, false).map_err(|error| format!("{error:#}"));
        match &worker {
            Ok(worker) => {
                header.push(format!("{}: {}", row.title, worker.about));
                adapters.extend(worker.adapter.clone().map(|adapter| (row.title, adapter)));
            }
            Err(why) => header.push(format!("{}: {why}", row.title)),
        }
        bench.peers.push(Contender { row, worker });
    }
    header.iter().for_each(|line| println!("{line}"));
    for pair in adapters.windows(2) {
        ensure!(pair[0].1 == pair[1].1, "two adapters: {} on {}, {} on {}", pair[0].0, pair[0].1, pair[1].0, pair[1].1);
    }

    let mut outcomes = vec![Vec::new(); rows.len()];
    for job in &jobs {
        println!("\n{}", job.title());
        for (outcomes, outcome) in outcomes.iter_mut().zip(bench.job(job)?) {
            outcomes.push(outcome);
        }
    }
    let table = Table { header, jobs: &jobs, rows: &rows, outcomes }.markdown()?;
    println!("\n{table}");
    if let Some(path) = &bench.options.out {
        std::fs::write(path, table).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn known(wanted: &[String], names: &[&str]) -> Result<()> {
    match wanted.iter().find(|name| !names.contains(&name.as_str())) {
        Some(name) => bail!("no {name}; there are {}", names.join(", ")),
        None => Ok(()),
    }
}

/// The command line without the folders of this machine.
fn command() -> String {
    let words = std::env::args().skip(1).map(|word| {
        let path = Path::new(&word);
        path.file_name().filter(|_| path.is_absolute()).map_or(word.clone(), |name| name.to_string_lossy().into_owned())
    });
    words.collect::<Vec<_>>().join(" ")
}

struct Contender<'a> {
    row: &'a Row,
    worker: Result<Worker, String>,
}

struct Bench<'a> {
    options: Options,
    peers: Vec<Contender<'a>>,
}

impl Bench<'_> {
    /// One job, by every peer: each is checked, then all are timed in turns.
    fn job(&mut self, job: &Job) -> Result<Vec<Outcome>> {
        let folder = tempfile::tempdir()?;
        let reference = {
            let inputs = Inputs::draw(job.task);
            inputs.write(folder.path())?;
            Reference::of(&inputs)
        };
        let mut outcomes = Vec::new();
        let mut calls = Vec::new();
        for peer in &mut self.peers {
            let checked = peer.check(job, folder.path(), &reference);
            let (outcome, count) = match checked {
                Ok((timing, warm)) => {
                    println!("  {}: first call {}", peer.row.title, time(timing.first));
                    (Outcome::Timed(timing), (ROUND / warm).clamp(1.0, MOST_CALLS) as usize)
                }
                Err(why) => {
                    println!("  {}: {why}", peer.row.title);
                    peer.restart(&self.options.python);
                    (Outcome::Not(why), 0)
                }
            };
            outcomes.push(outcome);
            calls.push(count);
        }
        for _ in 0..if self.options.quick { 1 } else { self.options.rounds } {
            for ((peer, outcome), calls) in self.peers.iter_mut().zip(&mut outcomes).zip(&calls) {
                if let (Outcome::Timed(timing), Ok(worker)) = (&mut *outcome, &mut peer.worker) {
                    sleep(PAUSE);
                    match worker.run(*calls) {
                        Ok(times) => timing.rounds.push(median(&times)),
                        Err(error) => *outcome = Outcome::Not(format!("{error:#}")),
                    }
                }
            }
        }
        for (peer, outcome) in self.peers.iter_mut().zip(&mut outcomes) {
            let finished = peer.worker.as_mut().map(Worker::finish);
            if let Ok(Err(_)) = finished {
                peer.restart(&self.options.python);
            }
            if let Outcome::Timed(timing) = outcome {
                println!("  {}: {}", peer.row.title, time(timing.median()));
                if self.options.cold && peer.worker.as_ref().is_ok_and(|worker| worker.adapter.is_some()) {
                    let cold = cold(peer.row, &self.options.python, job, folder.path());
                    timing.cold = Some(cold.map_err(|error| format!("{error:#}")));
                }
            }
        }
        Ok(outcomes)
    }
}

/// The first call in a process of its own.
fn cold(row: &Row, python: &Path, job: &Job, folder: &Path) -> Result<f64> {
    let mut worker = Worker::start(row, python, true)?;
    worker.prepare(job.task, folder)?;
    let (_, first) = worker.check(folder)?;
    println!("  {}: cold {}", row.title, time(first));
    Ok(first)
}

impl Contender<'_> {
    /// The first call, its answer checked, and the seconds of a warm call.
    fn check(&mut self, job: &Job, folder: &Path, reference: &Reference) -> Result<(Timing, f64), String> {
        let row = self.row;
        let worker = self.worker.as_mut().map_err(|why| why.clone())?;
        let mut check = || {
            worker.prepare(job.task, folder)?;
            let (answer, first) = worker.check(folder)?;
            let worst = reference.check(&answer)?;
            println!("  {}: right, its largest error {worst:.2} of what is allowed", row.title);
            let warm = median(&worker.run(2)?);
            Ok((Timing { first, ..Default::default() }, warm))
        };
        check().map_err(|error: anyhow::Error| format!("{error:#}"))
    }

    /// What failed once may hold memory, or a broken queue: the next job gets a fresh process.
    fn restart(&mut self, python: &Path) {
        if self.worker.is_ok() {
            self.worker = Worker::start(self.row, python, false).map_err(|error| format!("{error:#}"));
        }
    }
}
