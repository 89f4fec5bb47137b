//! A job of MPI: starts this program again, as several ranks, with a deadline.

use std::env;
use std::fs::File;
use std::io;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use tempfile::NamedTempFile;

/// A running job.
pub struct Job {
    launcher: Child,
    /// Standard output of the ranks, and standard error of the ranks and the launcher. They are separate, because pieces of one
    /// would split lines of the other.
    files: [NamedTempFile; 2],
}

/// A job that has ended.
pub struct Ended {
    pub success: bool,
    printed: String,
    complaints: String,
}

impl Job {
    /// Starts so many ranks of this program with these words as their task.
    pub fn start(ranks: usize, words: &[&str]) -> io::Result<Job> {
        let mut launcher = Command::new("mpirun");
        launcher.args(["--oversubscribe", "--bind-to", "none", "-n", &ranks.to_string()]).arg(env::current_exe()?);
        Self::begin(launcher, words)
    }

    /// Starts this program without a launcher, with these words as its task and with these environment variables.
    pub fn alone(words: &[&str], variables: &[(&str, &str)]) -> io::Result<Job> {
        let mut program = Command::new(env::current_exe()?);
        program.envs(variables.iter().copied());
        Self::begin(program, words)
    }

    /// Starts a command that runs this program as one or more ranks.
    fn begin(mut command: Command, words: &[&str]) -> io::Result<Job> {
        let files = [NamedTempFile::new()?, NamedTempFile::new()?];
        let [printed, complaints] = &files;
        let writer = |file: &NamedTempFile| File::options().append(true).open(file.path());
        let launcher = command
            .arg("--rank")
            .args(words)
            // In containers every user is root, and processes may not read each other's memory.
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
            .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
            .stdout(writer(printed)?)
            .stderr(writer(complaints)?)
            .spawn()?;
        Ok(Job { launcher, files })
    }

    /// Waits until a condition holds.
    pub fn when(&self, so: impl Fn() -> bool, deadline: Duration) -> Result<(), Failed> {
        let begun = Instant::now();
        while !so() {
            if begun.elapsed() > deadline {
                return Err(format!("it did not come to that: {}", self.said().concat()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Does what Ctrl-C does.
    pub fn interrupt(&self) -> io::Result<()> {
        Command::new("kill").args(["-INT", &self.launcher.id().to_string()]).status().map(drop)
    }

    /// Waits for the end of the job. A job that is late is killed, and is an error.
    pub fn ended(mut self, deadline: Duration) -> Result<Ended, Failed> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.launcher.try_wait()? {
                let [printed, complaints] = self.said();
                return Ok(Ended { success: status.success(), printed, complaints });
            }
            if begun.elapsed() > deadline {
                return Err(format!("it hangs: {}", self.said().concat()).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn said(&self) -> [String; 2] {
        self.files.each_ref().map(|file| {
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let begun = Instant::now();
        let mut is_told = false;
        while matches!(self.launcher.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(20) {
                let _ = self.launcher.kill();
            } else if !is_told {
                // A launcher that is asked to end also ends its ranks; a launcher that is killed leaves them running.
                let _ = Command::new("kill").arg(self.launcher.id().to_string()).status();
                is_told = true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Ended {
    /// The text that the ranks printed after this word.
    pub fn lines(&self, beginning: &str) -> Vec<String> {
        self.printed.lines().filter_map(|line| line.strip_prefix(beginning)).map(str::to_owned).collect()
    }

    /// The text that each of so many ranks printed after this word, if each printed one line and all are equal.
    pub fn alike(&self, beginning: &str, ranks: usize) -> Option<String> {
        let mut lines = self.lines(beginning);
        let alike = lines.len() == ranks && lines.iter().all(|line| *line == lines[0]);
        alike.then(|| lines.swap_remove(0))
    }

    /// All of standard output and standard error.
    pub fn text(&self) -> String {
        [&*self.printed, &*self.complaints].concat()
    }
}

/// Runs jobs, two at a time, because most of their time is starting and ending.
pub fn two_at_a_time<T: Sync>(jobs: &[T], ends_well: impl Fn(&T) -> Result<(), Failed> + Sync) -> Result<(), Failed> {
    let lane = |first: usize| jobs.iter().skip(first).step_by(2).try_for_each(&ends_well);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| lane(1));
        let outcome = lane(0);
        outcome.and(other.join().unwrap_or_else(|_| Err("a thread of the test panicked".into())))
    })
}
