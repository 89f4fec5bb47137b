//! One rank gets another value than the others: every rank returns an error with both values.

use std::time::Duration;

use libtest_mimic::Failed;
use ndarray::s;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, FitOptions, Mlp, Optimizer, Result, Trainer};

use crate::job::{Job, two_at_a_time};
use crate::training::over_ranks::{Data, ROWS, WIDTHS};
use crate::training::rich;

const SIZE: usize = 3;
const RATES: [f64; 2] = [0.02, 0.03];

/// The widths and the options of a rank. In each variation one rank, the first or another, gets one other value.
fn given(way: &str, rank: usize) -> ([usize; 4], FitOptions) {
    let optimizer = |rate| Optimizer::adamw(rate, 1e-3);
    let (mut widths, mut options) = (WIDTHS, FitOptions { optimizer: optimizer(RATES[0]), ..rich() });
    match (way, rank) {
        ("widths", 2) => widths[2] = 8,
        ("batch", 1) => options.batch = 17,
        ("rate", 2) => options.optimizer = optimizer(RATES[1]),
        ("seed", 0) => options.seed = 12,
        _ => {}
    }
    (widths, options)
}

/// Trains on this rank's share with this rank's values.
pub fn train(device: &Device, ranks: &Ranks, way: &str) -> Result<String> {
    let (data, own, (widths, options)) = (Data::new(), ranks.share_of(ROWS), given(way, ranks.rank()));
    let mut model = Mlp::new(device, &widths, 3)?;
    let trainer = Trainer::new(&options).over(ranks);
    trainer.fit(&mut model, data.x.slice(s![own.clone(), ..]), &data.labels[own]).map(|_| "trained".into())
}

/// Each rank prints the error, whichever rank differs.
pub fn told() -> Result<(), Failed> {
    let rates = RATES.map(|rate| format!("{:?}", Optimizer::adamw(rate, 1e-3)));
    let ways = [
        ("widths", "the model's widths: [4, 12, 8, 3] on rank 2, [4, 12, 9, 3] on rank 0".to_owned()),
        ("batch", "batch: 17 on rank 1, 16 on rank 0".to_owned()),
        ("rate", format!("optimizer: {} on rank 2, {} on rank 0", rates[1], rates[0])),
        ("seed", "seed: 11 on rank 1, 12 on rank 0".to_owned()),
    ];
    two_at_a_time(&ways, |(way, values)| {
        let ended = Job::start(SIZE, &["differ", "cpu", *way])?.ended(Duration::from_secs(300))?;
        let wanted = format!("the ranks differ in {values}");
        let well = ended.success && ended.alike("error: ", SIZE).as_ref() == Some(&wanted);
        if well { Ok(()) } else { Err(format!("{way}: {wanted:?} is wanted: {}", ended.text()).into()) }
    })
}
