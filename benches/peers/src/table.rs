//! The result, as markdown.

use std::fmt::Write;

use anyhow::Result;

use crate::job::Job;
use crate::peer::{ADAPTER, CPU, Row};

/// The outcome of a peer at a job.
#[derive(Clone)]
pub enum Outcome {
    Timed(Timing),
    /// Wrong, fails, or skipped; and why.
    Not(String),
}

#[derive(Clone, Default)]
pub struct Timing {
    /// Seconds of the first call, with its inputs in place.
    pub first: f64,
    /// Seconds of the first call in a process of its own, without Mesa's shader cache.
    pub cold: Option<Result<f64, String>>,
    /// Seconds, a median a round.
    pub rounds: Vec<f64>,
}

impl Timing {
    pub fn median(&self) -> f64 {
        median(&self.rounds)
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// Everything that was measured.
pub struct Table<'a> {
    pub header: Vec<String>,
    pub jobs: &'a [Job],
    pub rows: &'a [Row],
    /// By row, then by job.
    pub outcomes: Vec<Vec<Outcome>>,
}

impl Table<'_> {
    pub fn markdown(&self) -> Result<String> {
        let mut out = String::new();
        for line in &self.header {
            writeln!(out, "- {line}")?;
        }
        let mut notes = Vec::new();
        writeln!(
            out,
            "\nMedian, and its ratio to this crate's: on the adapter for those that run on one, on the CPU path for the others.\n"
        )?;
        self.grid(&mut out, |row, job| match &self.outcomes[row][job] {
            Outcome::Timed(timing) => {
                let ratio = self.ratio(row, job).map(|ratio| format!(" ({}x)", digits(ratio)));
                format!("{}{}", time(timing.median()), ratio.unwrap_or_default())
            }
            Outcome::Not(why) => {
                let known = notes.iter().position(|note| note == why);
                let note = known.unwrap_or(notes.len());
                if known.is_none() {
                    notes.push(why.clone());
                }
                format!("{} [{}]", if why.starts_with("skipped") { "skipped" } else { "no" }, note + 1)
            }
        })?;
        for (index, note) in notes.iter().enumerate() {
            writeln!(out, "\n[{}] {note}", index + 1)?;
        }
        writeln!(
            out,
            "\nThe first call in a process, inputs in place; after `cold`, in a process without a shader cache.\n"
        )?;
        self.grid(&mut out, |row, job| match &self.outcomes[row][job] {
            Outcome::Timed(timing) => match &timing.cold {
                None => time(timing.first),
                Some(Ok(cold)) => format!("{}, cold {}", time(timing.first), time(*cold)),
                Some(Err(why)) => format!("{}, cold {why}", time(timing.first)),
            },
            Outcome::Not(_) => "no".into(),
        })?;
        writeln!(out, "\nThe lowest and the highest round.\n")?;
        self.grid(&mut out, |row, job| match &self.outcomes[row][job] {
            Outcome::Timed(timing) => {
                let lowest = timing.rounds.iter().copied().fold(f64::INFINITY, f64::min);
                let highest = timing.rounds.iter().copied().fold(0.0, f64::max);
                format!("{} to {}", time(lowest), time(highest))
            }
            Outcome::Not(_) => "no".into(),
        })?;
        Ok(out)
    }

    fn grid(&self, out: &mut String, mut cell: impl FnMut(usize, usize) -> String) -> Result<()> {
        let titles: Vec<_> = self.jobs.iter().map(Job::title).collect();
        writeln!(out, "| | {} |", titles.join(" | "))?;
        writeln!(out, "|---|{}", "---|".repeat(titles.len()))?;
        for (index, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = (0..self.jobs.len()).map(|job| cell(index, job)).collect();
            writeln!(out, "| {} | {} |", row.title, cells.join(" | "))?;
        }
        Ok(())
    }

    fn ratio(&self, row: usize, job: usize) -> Option<f64> {
        let key = if self.rows[row].on_adapter { ADAPTER } else { CPU };
        let baseline = self.rows.iter().position(|other| other.key == key)?;
        match (&self.outcomes[row][job], &self.outcomes[baseline][job]) {
            (Outcome::Timed(this), Outcome::Timed(base)) if row != baseline => Some(this.median() / base.median()),
            _ => None,
        }
    }
}

/// Three digits.
fn digits(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

pub fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 1.0 => format!("{} s", digits(seconds)),
        seconds if seconds >= 1e-3 => format!("{} ms", digits(seconds * 1e3)),
        seconds => format!("{} µs", digits(seconds * 1e6)),
    }
}
