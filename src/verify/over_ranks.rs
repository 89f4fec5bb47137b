//! Verification over ranks: each rank verifies its own device, and every rank gets one report of all devices.

use std::fmt;

use super::options::Options;
use super::report::LEFT_OUT;
use super::run::run_with;
use super::saved::{SavedReport, SavedRow};
use crate::device::Device;
use crate::distributed::{Call, Ranks};
use crate::error::Result;

/// One report of all ranks' devices, as [`run_over`] returns it. `Display` prints the devices, a line each with the number of kernel
/// variants that ran, and a table with one row an op.
///
/// ```no_run
/// # use wgpu_mlp::{Device, distributed::Ranks, verify};
/// let report = verify::run_over(&Ranks::alone(), &Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// println!("rank 0 has verified {}", report.reports()[0].device);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct JointReport {
    reports: Vec<SavedReport>,
}

/// The results of an op on all ranks.
struct JointRow<'a> {
    cases: usize,
    failed: usize,
    /// The row with the worst element, and its rank.
    worst: &'a SavedRow,
    rank: usize,
}

/// Runs [`run_with`] on each rank's device, and returns one report of all of them, on every rank.
///
/// # Errors
/// As [`run`](super::run()), on every rank: see [`distributed`](crate::distributed). A result over its bound is no error:
/// [`JointReport::passed`] tells whether there is one.
///
/// ```no_run
/// use wgpu_mlp::distributed::Ranks;
/// use wgpu_mlp::{Device, verify};
/// let options = verify::Options { seed: 1, full: false };
/// let report = verify::run_over(&Ranks::alone(), &Device::cpu(), &options)?;
/// assert!(report.passed(), "{report}");
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn run_over(ranks: &Ranks, device: &Device, options: &Options) -> Result<JointReport> {
    ranks.in_call(Call::Verify, || {
        let Options { seed, full } = options;
        ranks.same(Call::Verify, "seed", *seed)?;
        ranks.same(Call::Verify, "full (1 where it is true)", (*full).into())?;
        let report = run_with(device, options)?.to_json();
        let all = ranks.gather(Call::Verify, report.as_bytes())?;
        let reports = all.iter().map(|json| SavedReport::from_json(&String::from_utf8_lossy(json)));
        Ok(JointReport { reports: reports.collect::<Result<_>>()? })
    })
}

impl JointReport {
    /// Whether every element of every case is within its bound, on the devices of all ranks.
    pub fn passed(&self) -> bool {
        !self.reports.is_empty() && self.reports.iter().all(SavedReport::passed)
    }

    /// The reports of the single devices, in the order of the ranks.
    pub fn reports(&self) -> &[SavedReport] {
        &self.reports
    }

    /// The rows of the table, the nearest to its bound first.
    fn rows(&self) -> Vec<JointRow<'_>> {
        let of_ranks = self.reports.iter().enumerate();
        let all = of_ranks.flat_map(|(rank, report)| report.rows.iter().map(move |row| (rank, row)));
        let mut rows: Vec<JointRow<'_>> = Vec::new();
        for (rank, row) in all {
            let Some(known) = rows.iter_mut().find(|known| known.worst.op == row.op) else {
                rows.push(JointRow { cases: row.cases, failed: row.failed, worst: row, rank });
                continue;
            };
            known.cases += row.cases;
            known.failed += row.failed;
            if row.share.total_cmp(&known.worst.share).is_gt() {
                (known.worst, known.rank) = (row, rank);
            }
        }
        rows.sort_by(|a, b| b.worst.share.total_cmp(&a.worst.share));
        rows
    }
}

impl fmt::Display for JointReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rank, report) in self.reports.iter().enumerate() {
            write!(f, "rank {rank}: {}", report.device)?;
            match report.possible_variants {
                0 => writeln!(f)?,
                possible => writeln!(f, "; {} of {possible} variants of kernels", report.variants.len())?,
            }
        }
        writeln!(f, "worst: the largest error on any rank, as a share of its bound, and where it fell")?;
        let titles = ("op", "cases", "failed", "worst", "rank", "case");
        let (op, cases, failed, worst, rank, case) = titles;
        writeln!(f, "{op:<32} {cases:>6} {failed:>6} {worst:>7} {rank:>4}  {case}")?;
        let (rows, mut total) = (self.rows(), (0usize, 0usize));
        for JointRow { cases, failed, worst, rank } in &rows {
            let SavedRow { op, share, case, .. } = worst;
            writeln!(f, "{op:<32} {cases:>6} {failed:>6} {share:>7.3} {rank:>4}  {case}")?;
            total = (total.0 + cases, total.1 + failed);
        }
        let (ops, ranks, (cases, failed)) = (rows.len(), self.reports.len(), total);
        write!(f, "{ops} ops, {cases} cases on {ranks} ranks, {failed} over their bound")?;
        let left_out = self.reports.iter().any(|report| report.full == Some(false));
        if left_out { write!(f, "{LEFT_OUT}") } else { Ok(()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A report with a row for each of these: an op, cases, cases over their bound, and the worst share.
    fn report(rows: &[(&str, usize, usize, f64)]) -> SavedReport {
        let row = |&(op, cases, failed, share): &(&str, usize, usize, f64)| SavedRow {
            op: op.into(),
            cases,
            failed,
            case: format!("the case of {share}"),
            share,
            likely: None,
            element: [0; 3],
            got: 0.0,
            want: 0.0,
            ran: Vec::new(),
            over: Vec::new(),
        };
        SavedReport {
            device: Device::cpu().info().clone(),
            seed: Some(0),
            full: Some(false),
            rows: rows.iter().map(row).collect(),
            variants: Vec::new(),
            possible_variants: 0,
        }
    }

    #[test]
    fn each_op_has_one_row_with_the_rank_of_its_worst_element() {
        let first = report(&[("matmul", 3, 0, 0.5), ("softmax", 2, 0, 0.25)]);
        let mut second = report(&[("softmax", 2, 1, 1.5), ("matmul", 4, 0, 0.125), ("relu", 1, 0, 0.0)]);
        (second.variants, second.possible_variants) = (vec!["a variant".into()], 2);
        let joint = JointReport { reports: vec![first, second] };
        let text = joint.to_string();
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let devices = [0, 1].map(|rank| format!("rank {rank}: {}", Device::cpu().info()));
        let wanted = [
            devices[0].as_str(),
            &format!("{}; 1 of 2 variants of kernels", devices[1]),
            "worst: the largest error on any rank, as a share of its bound, and where it fell",
            "op cases failed worst rank case",
            "softmax 4 1 1.500 1 the case of 1.5",
            "matmul 7 0 0.500 0 the case of 0.5",
            "relu 1 0 0.000 1 the case of 0",
            "3 ops, 12 cases on 2 ranks, 1 over their bound; the large cases were left out",
        ];
        assert_eq!(lines, wanted, "{text}");
        assert_eq!(joint.reports()[1].rows.len(), 3);
    }

    #[test]
    fn a_report_passes_where_all_ranks_have_cases_within_their_bounds() {
        let (good, bad, empty) = (report(&[("relu", 1, 0, 0.5)]), report(&[("relu", 2, 1, 2.0)]), report(&[]));
        let passed = |reports: &[&SavedReport]| {
            let reports = reports.iter().map(|report| (*report).clone()).collect();
            JointReport { reports }.passed()
        };
        assert!(passed(&[&good]) && passed(&[&good, &good]));
        assert!(!passed(&[&good, &bad]) && !passed(&[&bad, &good]));
        assert!(!passed(&[&good, &empty]) && !passed(&[]));
    }

    #[test]
    fn all_ranks_have_one_report() {
        let options = Options { seed: 5, full: false };
        let reports = Ranks::in_threads(2, |ranks| run_over(ranks, &Device::cpu(), &options));
        let reports = reports.into_iter().collect::<Result<Vec<_>>>().unwrap();
        assert_eq!(reports[0], reports[1]);
        assert_eq!(reports[0].reports().len(), 2);
        assert!(reports[0].passed(), "{}", reports[0]);
    }

    #[test]
    fn ranks_with_other_options_are_told_so() {
        let told = |options: fn(u64) -> Options, words: &str| {
            let run = |ranks: &Ranks| run_over(ranks, &Device::cpu(), &options(ranks.rank() as u64));
            for outcome in Ranks::in_threads(2, run) {
                assert_eq!(outcome.err().map(|error| error.to_string()).as_deref(), Some(words));
            }
        };
        let seeds = |rank: u64| Options { seed: 7 + rank, full: false };
        told(seeds, "the ranks differ in seed: 8 on rank 1, 7 on rank 0");
        let full = |rank: u64| Options { seed: 7, full: rank == 0 };
        told(full, "the ranks differ in full (1 where it is true): 0 on rank 1, 1 on rank 0");
    }
}
