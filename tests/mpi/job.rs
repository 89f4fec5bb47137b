//! A job of MPI: this program again, as several ranks, with a deadline.

use std::env;
use std::fs::File;
use std::io;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

/// A job that runs.
pub struct Job {
    launcher: Child,
    output: tempfile::NamedTempFile,
}

/// A job that has ended.
pub struct Ended {
    pub success: bool,
    output: String,
}

impl Job {
    /// Starts so many ranks of this program, which do what these words say.
    pub fn start(ranks: usize, words: &[&str]) -> io::Result<Job> {
        let output = tempfile::NamedTempFile::new()?;
        let writer =
            || -> io::Result<File> { output.reopen().and_then(|_| File::options().append(true).open(output.path())) };
        let launcher = Command::new("mpirun")
            .args(["--oversubscribe", "--bind-to", "none", "-n", &ranks.to_string()])
            .arg(env::current_exe()?)
            .arg("--rank")
            .args(words)
            .env("WGPU_MLP_MPI_JOB", std::process::id().to_string())
            // In containers everybody is root, and processes may not read each other's memory.
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
            .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
            .stdout(writer()?)
            .stderr(writer()?)
            .spawn()?;
        Ok(Job { launcher, output })
    }

    /// Waits until something is so.
    pub fn when(&self, so: impl Fn() -> bool, deadline: Duration) -> Result<(), Failed> {
        let begun = Instant::now();
        while !so() {
            if begun.elapsed() > deadline {
                return Err(format!("it did not come to that: {}", self.said()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) -> io::Result<()> {
        Command::new("kill").args(["-INT", &self.launcher.id().to_string()]).status().map(drop)
    }

    /// Waits for the end of the job; one that is late is killed, and an error.
    pub fn ended(mut self, deadline: Duration) -> Result<Ended, Failed> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.launcher.try_wait()? {
                return Ok(Ended { success: status.success(), output: self.said() });
            }
            if begun.elapsed() > deadline {
                return Err(format!("it hangs: {}", self.said()).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn said(&self) -> String {
        let bytes = std::fs::read(self.output.path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // The launcher ends its ranks when it is told to end.
        if matches!(self.launcher.try_wait(), Ok(None)) {
            let _ = Command::new("kill").arg(self.launcher.id().to_string()).status();
            let _ = self.launcher.wait();
        }
    }
}

impl Ended {
    /// What the ranks printed behind this word.
    pub fn lines(&self, beginning: &str) -> Vec<String> {
        self.output.lines().filter_map(|line| line.strip_prefix(beginning)).map(str::to_owned).collect()
    }

    /// All that was printed.
    pub fn text(&self) -> &str {
        &self.output
    }
}
