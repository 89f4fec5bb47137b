//! From a CSV file to the confusion matrix of rows that the model has not seen: the README's example.
//!
//! ```text
//! cargo run --release --features data --example flowers
//! ```

/// Reads, splits, scales, trains, and prints the matrix.
pub fn main() -> wgpu_mlp::Result<()> {
    use wgpu_mlp::data::{Scaler, read_csv};
    use wgpu_mlp::{Device, FitOptions, Mlp};

    // Labels, numbers or names, in the last column; a quarter of the rows for the test.
    let (train, test) = read_csv("examples/data/flowers.csv", &Default::default())?.split(&Default::default())?;
    let scaler = Scaler::fit(train.features.view())?; // mean 0, variance 1
    let mut model = Mlp::new(&Device::auto()?, &[train.columns.len(), 32, train.classes.len()], 7)?;
    let options = FitOptions { epochs: 100, batch: 16, ..Default::default() };
    model.fit(scaler.transform(train.features.view())?.view(), &train.labels, &options)?;
    let matrix = model.confusion_matrix(scaler.transform(test.features.view())?.view(), &test.labels)?;
    println!("{}", matrix.with_names(test.classes)?);
    Ok(())
}
