//! Cases of `clip_scale`, on two gradients together.

use ndarray::{Array2, array};

use crate::cpu::reference;
use crate::matrix::Matrix;
use crate::ops;
use crate::verify::bounds::Bound;
use crate::verify::expected::Expected;
use crate::verify::inputs::{Fill, matrices, normal, special_rows};
use crate::verify::output::Output;
use crate::verify::shapes::all_matrices;
use crate::verify::table::Table;

pub(super) fn cases(table: &mut Table) {
    add(table, "above the limit", [normal; 2], 0.5);
    add(table, "below the limit", [normal; 2], 1e6);
    add(table, "all kinds of row", [special_rows, normal], 2.0);
    // So small that the epsilon beside the norm counts.
    let small: Fill = |rng, rows, cols| normal(rng, rows, cols).mapv(|x| 1e-4 * x);
    add(table, "small gradients", [small; 2], 1e-5);
}

fn add(table: &mut Table, variant: &str, fills: [Fill; 2], limit: f64) {
    for dims in all_matrices() {
        table.add_on_matrices(
            ("clip_scale", variant),
            *dims,
            |[rows, cols, _]| (2 * (rows * cols + cols), 4 * (rows * cols + cols)),
            move |rng, [rows, cols, _]| matrices([fills[0](rng, rows, cols), fills[1](rng, 1, cols)]),
            move |m| ops::clip_scale(&m.iter().collect::<Vec<&Matrix>>(), limit).map(Output::alone),
            move |m| {
                let want = reference::clip_scale(m, limit);
                // A thread adds every 2¹⁷th value at most; the rest are trees, the root and the quotient.
                let terms: usize = m.iter().map(Array2::len).sum();
                let bound = Bound::roundings(40.0 + terms as f64 / f64::from(1 << 16)) * want + Bound::FLUSH;
                vec![Expected::within(&array![[bound]], array![[want]])]
            },
        );
    }
}
