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
use clap::{Parser, ValueEnum};
use wgpu_mlp::{Device, DeviceKind};

use job::{Inputs, Job};
use peer::{Program, Row};
use reference::Reference;
use table::{Outcome, Table, Timing, median, time};
use worker::Worker;

/// Seconds that a peer works on a job in a round.
const ROUND: f64 = 0.5;
const MOST_CALLS: f64 = 200.0;
/// The pause between peers. By its end, thread pools that wait actively for more work have gone to sleep.
const PAUSE: Duration = Duration::from_millis(150);

/// Times wgpu-mlp beside Burn, candle, ndarray, NumPy and PyTorch
#[derive(Parser)]
struct Options {
    /// Of A, B, C, D1, D2, and E on a hardware GPU
    #[arg(long, value_delimiter = ',')]
    jobs: Vec<String>,
    /// Of wgpu-mlp, burn, wgpu-mlp-cpu, ndarray, candle, burn-flex, numpy, torch
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Every round runs each peer once a job
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Jobs that fill a GPU among the others, or without them; by default what this crate's adapter is
    #[arg(long)]
    sizes: Option<Sizes>,
    /// Another build of this program, with other features of Burn: a further row
    #[arg(long)]
    burn: Vec<PathBuf>,
    /// One round, no large jobs, and D with 4,096 rows: shows that everything works
    #[arg(long)]
    quick: bool,
    /// Also the first call of each wgpu peer in a fresh process without Mesa's shader cache: minutes for Burn
    #[arg(long)]
    cold: bool,
    /// Writes the table to this file, too
    #[arg(long)]
    out: Option<PathBuf>,
    /// A Python with NumPy and PyTorch
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// How this program starts itself for each peer
    #[arg(long, hide = true)]
    worker: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sizes {
    Gpu,
    Cpu,
}

impl Sizes {
    fn found() -> Self {
        let is_gpu = Device::gpu().is_ok_and(|device| device.info().kind == DeviceKind::Gpu);
        if is_gpu { Sizes::Gpu } else { Sizes::Cpu }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut rows = peer::rows(&options.burn);
    if let Some(key) = &options.worker {
        return worker::serve(rows.iter().find(|row| row.key == key).context("no such peer")?);
    }
    let mut jobs = job::all(options.sizes.unwrap_or_else(Sizes::found) == Sizes::Gpu, options.quick);
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
    let mut workers = Vec::new();
    for row in &mut rows {
        let worker = Worker::start(row, &options.python, false).map_err(|error| format!("{error:#}"));
        match &worker {
            Ok(worker) => {
                if !worker.variant.is_empty() {
                    row.title = format!("{}, {}", row.title, worker.variant);
                }
                row.on_adapter = worker.adapter.is_some();
                header.push(format!("{}: {}", row.title, worker.about));
                adapters.extend(worker.adapter.clone().map(|adapter| (row.title.clone(), adapter)));
            }
            Err(why) => header.push(format!("{}: {why}", row.title)),
        }
        workers.push(worker);
    }
    let peers = rows.iter().zip(workers).map(|(row, worker)| Contender { row, worker }).collect();
    let mut bench = Bench { options, peers };
    header.iter().for_each(|line| println!("{line}"));
    for pair in adapters.windows(2) {
        let [(one, here), (other, there)] = pair else { continue };
        // CUDA and Vulkan may give the name of the same card in a longer or shorter form.
        let is_same = here.contains(there.as_str()) || there.contains(here.as_str());
        ensure!(is_same, "two adapters: {one} on {here}, {other} on {there}; --peers leaves one out");
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
            let inputs = Inputs::draw(&job.task);
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
                let is_python = matches!(peer.row.program, Program::Python(_));
                if self.options.cold && peer.row.on_adapter && !is_python {
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
    worker.prepare(&job.task, folder)?;
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
            worker.prepare(&job.task, folder)?;
            let (answer, first) = worker.check(folder)?;
            let worst = reference.check(&answer)?;
            println!("  {}: right, its largest error {worst:.2} of what is allowed", row.title);
            let warm = median(&worker.run(2)?);
            Ok((Timing { first, ..Default::default() }, warm))
        };
        check().map_err(|error: anyhow::Error| format!("{error:#}"))
    }

    /// A peer that has failed may hold memory, or a broken queue, so the next job gets a new process.
    fn restart(&mut self, python: &Path) {
        if self.worker.is_ok() {
            self.worker = Worker::start(self.row, python, false).map_err(|error| format!("{error:#}"));
        }
    }
}
