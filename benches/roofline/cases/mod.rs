//! The cases that are timed: each op at a few sizes.

mod by_row;
mod case;
mod elementwise;
mod products;
mod sizes;
mod training_step;

pub(crate) use case::{Call, Case, Family, Work};
pub(crate) use sizes::{Scale, Sizes};

/// All cases; if `quick`, only the first size of each op.
pub(crate) fn all(sizes: &Sizes, quick: bool) -> Vec<Case> {
    let mut cases = products::cases(sizes);
    cases.extend(sizes.elementwise.iter().flat_map(|(rows, cols)| elementwise::cases(*rows, *cols)));
    cases.extend(sizes.by_row.iter().flat_map(|(rows, cols)| by_row::cases(*rows, *cols)));
    cases.extend(sizes.steps.iter().map(|(widths, batch)| training_step::case(widths.clone(), *batch)));
    // One op after the other, its sizes together.
    let ops: Vec<_> = cases.iter().map(|case| case.op).collect();
    cases.sort_by_key(|case| ops.iter().position(|op| *op == case.op));
    if quick {
        cases.dedup_by_key(|case| case.op);
    }
    cases
}
