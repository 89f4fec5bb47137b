//! Cases of predictions: `argmax` and `accuracy`.

use ndarray::Array2;

use crate::cpu::reference;
use crate::ops;
use crate::targets::Targets;
use crate::verify::expected::Expected;
use crate::verify::inputs::{Inputs, mark_rows, matrices, special_rows, supervised};
use crate::verify::operands::{in_f64, targets, uploaded};
use crate::verify::output::Output;
use crate::verify::shapes::{LONG_ROWS, all_matrices};
use crate::verify::table::Table;

pub(super) fn cases(table: &mut Table) {
    for dims in all_matrices().chain(LONG_ROWS) {
        table.add_on_matrices(
            ("argmax", "all kinds of row"),
            *dims,
            |[rows, cols, _]| (rows * cols, 4 * (rows * cols + rows)),
            |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)]),
            |m| Ok(vec![Output::Classes(ops::argmax(&m[0])?)]),
            |m| {
                let class = |r: usize| reference::argmax(&m[0].row(r).to_vec()) as f64;
                vec![Expected::exactly(Array2::from_shape_fn((m[0].nrows(), 1), |(r, _)| class(r)))]
            },
        );
    }
    for (variant, distributions, marked) in
        [("class ids", false, false), ("distributions", true, false), ("class ids, marked", false, true)]
    {
        for dims in all_matrices().chain(LONG_ROWS) {
            table.add(
                ("accuracy", variant),
                *dims,
                |[rows, cols, _]| (rows * cols, 4 * (rows * cols + rows)),
                move |rng, dims| {
                    let mut inputs = supervised(special_rows, distributions, rng, dims);
                    if marked {
                        mark_rows(&mut inputs.classes);
                    }
                    inputs
                },
                move |device, inputs| {
                    let y = targets(device, inputs, distributions)?;
                    let x = uploaded(device, inputs)?.swap_remove(0);
                    Ok(vec![Output::Accuracy(x, y)])
                },
                move |inputs| vec![expected_accuracy(inputs, distributions)],
            );
        }
    }
}

fn expected_accuracy(inputs: &Inputs, distributions: bool) -> Expected {
    let m = in_f64(inputs);
    let class = |r: usize| match distributions {
        true => Some(reference::argmax(&m[1].row(r).to_vec())),
        false => Some(inputs.classes[r]).filter(|class| *class != Targets::MARK).map(|class| class as usize),
    };
    let classes: Vec<_> = (0..m[0].nrows()).map(class).collect();
    // The expected accuracy is rounded to f32, as on the device, so the count of hits must be exact.
    let accuracy = reference::accuracy(&m[0], &classes) as f32;
    Expected::exactly(Array2::from_elem((1, 1), accuracy.into()))
}
