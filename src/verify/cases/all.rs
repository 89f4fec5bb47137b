//! The list of all cases.

use super::{
    clip_scale, cross_entropy, elementwise, gradients, linear_cross_entropy, nll, predictions, products, softmax,
    training, updates,
};
use crate::verify::case::Case;
use crate::verify::table::Table;

/// All cases, op by op.
///
/// ```
/// let cases = wgpu_mlp::verify::cases();
/// let ops: std::collections::HashSet<_> = cases.iter().map(|case| case.op).collect();
/// assert!(ops.len() >= 20);
/// ```
pub fn cases() -> Vec<Case> {
    let mut table = Table::default();
    for add_cases in [
        products::cases,
        elementwise::cases,
        softmax::cases,
        nll::cases,
        predictions::cases,
        updates::cases,
        clip_scale::cases,
        cross_entropy::cases,
        linear_cross_entropy::cases,
        gradients::cases,
        training::cases,
    ] {
        add_cases(&mut table);
    }
    #[cfg(wgpu_mlp_mutants)]
    table.cases.retain(crate::verify::mutants::wants);
    table.cases
}
