//! Reports side by side, and the differences of two.

use std::collections::BTreeSet;
use std::fmt;

use super::saved::{SavedReport, SavedRow};

/// Prints reports side by side, op by op, as a table in Markdown. A cell has the worst share of the bound, the share of the
/// likely error in parentheses, and the number of cases, with those over their bound if there are some. Behind two reports
/// their [`Differences`] are printed.
///
/// ```no_run
/// # use wgpu_mlp::{Device, verify};
/// let report = verify::run_with(&Device::cpu(), &verify::Options { seed: 0, full: false })?;
/// let saved = verify::SavedReport::from(&report);
/// assert!(verify::side_by_side(&[saved.clone(), saved]).to_string().contains("| matmul_tn |"));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn side_by_side(reports: &[SavedReport]) -> impl fmt::Display + '_ {
    SideBySide(reports)
}

struct SideBySide<'a>(&'a [SavedReport]);

impl fmt::Display for SideBySide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, report) in (1..).zip(self.0) {
            writeln!(f, "{number}. {}", report.device)?;
        }
        let all = self.0.iter().flat_map(|report| &report.rows);
        let mut ops: Vec<&str> = Vec::new();
        all.for_each(|row| {
            if !ops.contains(&row.op.as_str()) {
                ops.push(&row.op)
            }
        });
        let line = |cells: &mut dyn Iterator<Item = String>| format!("| {} |", cells.collect::<Vec<_>>().join(" | "));
        writeln!(f)?;
        let numbers = (1..=self.0.len()).map(|number| number.to_string());
        writeln!(f, "{}", line(&mut std::iter::once("op".into()).chain(numbers)))?;
        writeln!(f, "{}", line(&mut (0..=self.0.len()).map(|_| "---".into())))?;
        for op in ops {
            let found = self.0.iter().map(|report| report.rows.iter().find(|row| row.op == op));
            let cells = found.map(|row| row.map_or("-".into(), SavedRow::cell));
            writeln!(f, "{}", line(&mut std::iter::once(op.into()).chain(cells)))?;
        }
        let variants = self.0.iter().map(|report| match report.possible_variants {
            0 => "-".into(),
            possible => format!("{} of {possible}", report.variants.len()),
        });
        write!(f, "{}", line(&mut std::iter::once("variants of kernels that ran".into()).chain(variants)))?;
        match self.0 {
            [first, second] => write!(f, "\n\n{}", Differences::between(first, second)),
            _ => Ok(()),
        }
    }
}

impl SavedRow {
    /// The cell of the table for this row.
    fn cell(&self) -> String {
        let likely = self.likely.map(|likely| format!(" ({likely:.2})")).unwrap_or_default();
        match (self.share, self.failed) {
            (share, 0) => format!("{share:.3}{likely} of {} cases", self.cases),
            (share, failed) => format!("**{share:.3}{likely}, {failed} of {} cases over it**", self.cases),
        }
    }
}

/// The differences of two reports: the entries that only one of them has, those of the first report first. Cases are named as in a
/// report, behind their op.
///
/// ```no_run
/// # use wgpu_mlp::{Device, verify};
/// let report = |seed| verify::run_with(&Device::cpu(), &verify::Options { seed, full: false });
/// let [first, second] = [report(0)?, report(1)?].map(|report| verify::SavedReport::from(&report));
/// let differences = verify::Differences::between(&first, &second);
/// assert_eq!(differences.seeds, Some([Some(0), Some(1)]));
/// assert!(differences.cases.iter().all(Vec::is_empty));
/// assert_eq!(differences.to_string(), "differences between 1 and 2\nseed: 0 in 1, 1 in 2");
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Differences {
    /// The seeds, if they differ.
    pub seeds: Option<[Option<u64>; 2]>,
    /// Whether the large cases ran, if that differs.
    pub full: Option<[Option<bool>; 2]>,
    /// Cases that ran in one only; none where one of the files is older than the names of cases.
    pub cases: [Vec<String>; 2],
    /// Kernel variants that ran in one only.
    pub variants: [Vec<String>; 2],
    /// Cases that ran in both and were within their bounds in one only; ops instead of cases where one of the files is older
    /// than the names of cases.
    pub passed: [Vec<String>; 2],
}

impl Differences {
    /// The differences between these two reports.
    pub fn between(first: &SavedReport, second: &SavedReport) -> Self {
        let reports = [first, second];
        let named = reports.iter().all(|report| report.rows.iter().all(|row| row.ran.len() == row.cases));
        let [ran, over] = [false, true].map(|over| reports.map(|report| names(report, named, over)));
        // The cases that are over their bound in the other report, and ran within it in this one.
        let passed = |own: usize, other: usize| -> Vec<String> {
            over[other].difference(&over[own]).filter(|name| ran[own].contains(*name)).cloned().collect()
        };
        let variants = reports.map(|report| report.variants.iter().cloned().collect::<BTreeSet<_>>());
        Differences {
            seeds: (first.seed != second.seed).then_some([first.seed, second.seed]),
            full: (first.full != second.full).then_some([first.full, second.full]),
            cases: if named { in_one_only(&ran) } else { Default::default() },
            variants: in_one_only(&variants),
            passed: [passed(0, 1), passed(1, 0)],
        }
    }
}

/// The names of a report's cases, either of all or of those over their bound. If the cases have no names, these are the names of
/// its ops.
fn names(report: &SavedReport, named: bool, over: bool) -> BTreeSet<String> {
    let of_row = |row: &SavedRow| match (named, over) {
        (true, true) => row.over.iter().map(|name| format!("{} {name}", row.op)).collect(),
        (true, false) => row.ran.iter().map(|name| format!("{} {name}", row.op)).collect(),
        (false, true) if row.failed == 0 => Vec::new(),
        (false, _) => vec![row.op.clone()],
    };
    report.rows.iter().flat_map(of_row).collect()
}

/// The names that only the first has, and those that only the second has.
fn in_one_only([first, second]: &[BTreeSet<String>; 2]) -> [Vec<String>; 2] {
    [first.difference(second).cloned().collect(), second.difference(first).cloned().collect()]
}

/// Prints the differences. Long lists are cut and their length is told; cases that passed in one report only are all printed.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Differences::default() {
            return write!(f, "no differences in seed, cases, variants, and what passed");
        }
        write!(f, "differences between 1 and 2")?;
        if let Some([first, second]) = self.seeds {
            let told = |seed: Option<u64>| seed.map_or("not told".into(), |seed| seed.to_string());
            write!(f, "\nseed: {} in 1, {} in 2", told(first), told(second))?;
        }
        if let Some([first, second]) = self.full {
            let told = |full| match full {
                Some(true) => "run",
                Some(false) => "left out",
                None => "not told",
            };
            write!(f, "\nlarge cases: {} in 1, {} in 2", told(first), told(second))?;
        }
        let lists = [
            ("passed", "cases", &self.passed, usize::MAX),
            ("ran", "cases", &self.cases, SHOWN),
            ("ran", "variants of kernels", &self.variants, SHOWN),
        ];
        for (did, what, of_both, shown) in lists {
            for (number, names) in (1..).zip(of_both).filter(|(_, names)| !names.is_empty()) {
                write!(f, "\n{what} that {did} in {number} only: {}", names.len())?;
                names.iter().take(shown).try_for_each(|name| write!(f, "\n    {name}"))?;
                if names.len() > shown {
                    write!(f, "\n    and {} more", names.len() - shown)?;
                }
            }
        }
        Ok(())
    }
}

/// The number of entries of a long list that are printed.
const SHOWN: usize = 20;
