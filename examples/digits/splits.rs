//! Trains on several splits of the data, to get an average of the test accuracy.

use std::fmt::Write as _;
use std::io::{self, Write};

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use wgpu_mlp::{Device, Mlp};

use crate::common::Failure;
use crate::data::Digits;
use crate::{Args, TEST_SHARE};

/// Trains on splits drawn by the seeds 0, 1, 2, ..., prints the test accuracy of each, and writes the splits to a file.
pub(crate) fn train_on_each(args: &Args, device: &Device, splits: usize) -> Result<(), Failure> {
    let (mut out, digits) = (io::stdout(), Digits::load()?);
    let (mut file, mut scores) = (String::from("split,row,part\n"), Vec::new());
    writeln!(out, "\nsplit   epochs   test accuracy")?;
    for seed in 0..splits as u64 {
        let (train, test) = digits.split_rows(TEST_SHARE, &mut ChaCha12Rng::seed_from_u64(seed));
        for (rows, part) in [(&train, "train"), (&test, "test")] {
            for row in rows {
                writeln!(file, "{seed},{row},{part}")?;
            }
        }
        let (train, test) = (digits.select(&train), digits.select(&test));
        let mut model = Mlp::new(device, &args.widths(), seed)?;
        let history = model.fit(train.pixels.view(), &train.labels, &args.options(seed))?;
        let score = model.score(test.pixels.view(), &test.labels)?;
        writeln!(out, "{seed:>5}   {:>6}   {:>11.2} %", history.epochs.len(), 100.0 * score)?;
        scores.push(score);
    }
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    writeln!(out, " mean            {:>11.2} %\n", 100.0 * mean)?;
    std::fs::create_dir_all(&args.out)?;
    let path = args.out.join("splits.csv");
    std::fs::write(&path, file)?;
    writeln!(out, "wrote {}", path.display())?;
    Ok(())
}
