//! Each peer works in a process of its own, so its threads, memory, panics and environment do not affect others. The parent
//! sends a line with a task. The worker does it, and answers with a line that begins with `@`. `python/worker.py` does the
//! same.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;

use crate::job::{self, CHECKED_STEPS, Inputs, LEARNING_RATE, Task};
use crate::peer::{Answer, Peer, Program, Row, Work};

/// A peer's process, seen from the parent.
pub struct Worker {
    process: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// A description of the device that it runs on.
    pub about: String,
    /// An addition to its title.
    pub variant: String,
    pub adapter: Option<String>,
    _scripts: Option<TempDir>,
}

/// The scripts are embedded in the program, so that it can be copied to a machine without its sources.
const SCRIPTS: [(&str, &str); 3] = [
    ("worker.py", include_str!("../python/worker.py")),
    ("with_numpy.py", include_str!("../python/with_numpy.py")),
    ("with_torch.py", include_str!("../python/with_torch.py")),
];

impl Worker {
    /// Starts a worker, and waits until it reports its device.
    pub fn start(row: &Row, python: &Path, cold: bool) -> Result<Self> {
        let program = match &row.program {
            Program::This(_) => std::env::current_exe()?,
            Program::Other(build) => build.clone(),
            Program::Python(_) => python.into(),
        };
        let mut command = Command::new(&program);
        let mut scripts = None;
        match row.program {
            Program::This(_) | Program::Other(_) => command.args(["--worker", row.key]),
            Program::Python(script) => {
                let folder = scripts.insert(tempfile::tempdir()?).path();
                SCRIPTS.iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))?;
                let numbers = [LEARNING_RATE.to_string(), CHECKED_STEPS.to_string(), job::CHECKED_ROWS.to_string()];
                command.arg(folder.join(script)).args(numbers)
            }
        };
        if let Some(threads) = row.product_threads {
            command.env("MATMUL_NUM_THREADS", threads.to_string());
        }
        if cold {
            command.env("MESA_SHADER_CACHE_DISABLE", "true");
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("skipped: cannot start {}", program.display()))?;
        let to = process.stdin.take();
        let from = BufReader::new(process.stdout.take().context("no pipe")?);
        let mut worker = Worker {
            process,
            to,
            from,
            _scripts: scripts,
            about: String::new(),
            variant: String::new(),
            adapter: None,
        };
        let line = worker.reply()?;
        let about = line.strip_prefix("ready ").ok_or_else(|| anyhow!("{line}"))?;
        let [adapter, variant, about] = about.splitn(3, '\t').collect::<Vec<_>>()[..] else { bail!("{line}") };
        worker.adapter = Some(adapter.to_owned()).filter(|adapter| !adapter.is_empty());
        (worker.variant, worker.about) = (variant.to_owned(), about.to_owned());
        Ok(worker)
    }

    /// Moves a task's inputs to the device of the work.
    pub fn prepare(&mut self, task: &Task, folder: &Path) -> Result<()> {
        self.ask(&format!("prepare\t{task}\t{}", folder.display())).map(drop)
    }

    /// Does the task for the first time, and gives the answer and the seconds of the first call.
    pub fn check(&mut self, folder: &Path) -> Result<(Vec<f32>, f64)> {
        let path = folder.join("answer");
        let times = self.ask(&format!("check\t{}", path.display()))?;
        Ok((job::numbers(&path)?, times.first().copied().context("no time")?))
    }

    /// The seconds of each of so many calls.
    pub fn run(&mut self, calls: usize) -> Result<Vec<f64>> {
        self.ask(&format!("run\t{calls}"))
    }

    /// Drops the task and its memory.
    pub fn finish(&mut self) -> Result<()> {
        self.ask("finish\t").map(drop)
    }

    fn ask(&mut self, line: &str) -> Result<Vec<f64>> {
        writeln!(self.to.as_mut().context("closed")?, "{line}")?;
        let reply = self.reply()?;
        match reply.strip_prefix("ok") {
            Some(times) => Ok(times.split_whitespace().map(str::parse).collect::<Result<_, _>>()?),
            None => {
                bail!("{}", reply.strip_prefix("fails ").map_or(reply.clone(), |message| format!("fails: {message}")))
            }
        }
    }

    /// The next line for the parent. Other lines are skipped, because libraries print too.
    fn reply(&mut self) -> Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.from.read_line(&mut line)? == 0 {
                bail!("fails: its process ended ({})", self.process.wait()?);
            }
            if let Some(reply) = line.trim_end().strip_prefix("@ ") {
                return Ok(reply.to_owned());
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its input ends a worker. A worker that does not read is killed.
        drop(self.to.take());
        let begin = Instant::now();
        while begin.elapsed().as_secs() < 2 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The worker's side.
pub fn serve(row: &Row) -> Result<()> {
    let Program::This(open) = row.program else { bail!("it is not in this program") };
    let peer = match guarded(open) {
        Ok(peer) => peer,
        Err(error) => {
            println!("@ skipped: {}", one_line(&error));
            return Ok(());
        }
    };
    println!("@ ready {}\t{}\t{}", peer.adapter().unwrap_or_default(), peer.variant(), peer.about());
    let mut state = State { peer, task: None };
    for line in std::io::stdin().lines() {
        let line = line?;
        match guarded(|| state.obey(&line)) {
            Ok(times) => println!("@ ok {}", times.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")),
            Err(error) => println!("@ fails {}", one_line(&error)),
        }
    }
    Ok(())
}

struct State {
    peer: Box<dyn Peer>,
    task: Option<(Task, Box<dyn Work>)>,
}

impl State {
    fn obey(&mut self, line: &str) -> Result<Vec<f64>> {
        let (command, rest) = line.split_once('\t').context("no command")?;
        match command {
            "prepare" => {
                self.task = None;
                let (task, folder) = rest.split_once('\t').context("no folder")?;
                let task: Task = task.parse()?;
                let inputs = Inputs::read(&task, Path::new(folder))?;
                self.task = Some((task, self.peer.prepare(inputs)?));
                Ok(Vec::new())
            }
            "check" => {
                let (task, work) = self.task.as_mut().context("nothing prepared")?;
                let (mut times, mut numbers) = (Vec::new(), Vec::new());
                for _ in 0..if matches!(task, Task::Train { .. }) { CHECKED_STEPS } else { 1 } {
                    times.push(timed(work.as_mut())?);
                    keep_checked(task, work.answer()?, &mut numbers);
                }
                job::put_numbers(Path::new(rest), &numbers)?;
                times.truncate(1);
                Ok(times)
            }
            "run" => {
                let (_, work) = self.task.as_mut().context("nothing prepared")?;
                (0..rest.parse()?).map(|_| timed(work.as_mut())).collect()
            }
            "finish" => {
                self.task = None;
                Ok(Vec::new())
            }
            other => bail!("no such command: {other}"),
        }
    }
}

fn timed(work: &mut dyn Work) -> Result<f64> {
    let begin = Instant::now();
    work.run()?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Appends the loss and those rows that the parent checks.
fn keep_checked(task: &Task, answer: Answer, numbers: &mut Vec<f32>) {
    numbers.extend(answer.loss);
    match *task {
        Task::Softmax { rows, cols } | Task::CrossEntropy { rows, cols } => {
            let kept = job::checked_rows(rows).filter_map(|row| answer.matrix.get(row * cols..(row + 1) * cols));
            kept.for_each(|row| numbers.extend_from_slice(row));
        }
        Task::Matmul { .. } | Task::Train { .. } => numbers.extend(answer.matrix),
    }
}

/// A panic is an error with its message.
fn guarded<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(anyhow!("panics: {}", message.unwrap_or_default()))
    })
}

/// The error without line breaks. Of a report with all causes only the last is kept, which names what went wrong.
fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    let root = text.rsplit("Caused by: ").next().unwrap_or(&text);
    root.split(" No backtrace").next().unwrap_or(root).chars().take(200).collect()
}
