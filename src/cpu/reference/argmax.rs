//! argmax, and the accuracy of its predictions.

use ndarray::Array2;

/// The first column that holds the row's maximum; the first NaN where there is one.
pub fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (c, x) in row.iter().enumerate() {
        if row[best].is_nan() {
            break;
        }
        if x.is_nan() || *x > row[best] {
            best = c;
        }
    }
    best
}

/// The accuracy: of the rows that have a class, the share whose first maximum is in its column. A row with NaN is a miss.
pub fn accuracy(x: &Array2<f64>, classes: &[Option<usize>]) -> f64 {
    let rows = || x.rows().into_iter().map(|row| row.to_vec()).zip(classes);
    let hits = rows().filter(|(row, class)| Some(argmax(row)) == **class && !row.iter().any(|x| x.is_nan())).count();
    hits as f64 / classes.iter().flatten().count() as f64
}
