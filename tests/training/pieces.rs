//! Partial fits take the options of each call.

use ndarray::s;
use wgpu_mlp::{Device, Epoch, FitOptions, Mlp, Optimizer, Penalty, Result, Schedule};

use super::{bits, blobs};

fn plain() -> FitOptions {
    FitOptions { batch: 10, shuffle: false, optimizer: Optimizer::adam(0.01), ..Default::default() }
}

/// A model after partial fits of ten rows each, with these options one after another.
fn after(device: &Device, calls: &[&FitOptions]) -> Result<(Mlp, Vec<Epoch>)> {
    let (x, labels) = blobs(60, 7);
    let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
    let call = |(index, options): (usize, &&FitOptions)| {
        let rows = 10 * (index % 6)..10 * (index % 6) + 10;
        model.partial_fit(x.slice(s![rows.clone(), ..]), &labels[rows], options)
    };
    let epochs = calls.iter().enumerate().map(call).collect::<Result<_>>()?;
    Ok((model, epochs))
}

/// A new learning rate is taken from the next call on, with what the optimizer keeps.
pub fn new_learning_rates(device: &Device) -> Result<()> {
    let (first, second) = (plain(), FitOptions { optimizer: Optimizer::adam(0.002), ..plain() });
    let (changed, epochs) = after(device, &[&first, &first, &second, &second])?;
    assert_eq!(epochs.iter().map(|epoch| epoch.learning_rate).collect::<Vec<_>>(), [0.01, 0.01, 0.002, 0.002]);
    // A schedule that falls to a fifth after two epochs comes to that, too.
    let (x, labels) = blobs(60, 7);
    let stepped = FitOptions { epochs: 1, schedule: Schedule::Step { every: 2, factor: 0.2 }, ..plain() };
    let (scheduled, rates) = after(device, &[&stepped; 4])?;
    assert_eq!(rates[3].learning_rate, 0.2 * 0.01);
    assert_eq!(bits(&scheduled)?, bits(&changed)?);
    // Adam's moments were kept: from the same parameters a fresh optimizer goes elsewhere.
    let (mut fresh, _) = after(device, &[&first, &first])?;
    fresh = fresh.to_device(device)?;
    for rows in [20..30, 30..40] {
        fresh.partial_fit(x.slice(s![rows.clone(), ..]), &labels[rows], &second)?;
    }
    assert_ne!(bits(&fresh)?, bits(&changed)?);
    Ok(())
}

/// Clipping and penalties come and go with the options.
pub fn clipping_and_penalties_come_and_go(device: &Device) -> Result<()> {
    let strong = Penalty { l2_weights: 0.1, ..Default::default() };
    let changed = [
        FitOptions { clip_norm: Some(1e-3), optimizer: Optimizer::sgd(0.1), ..plain() },
        FitOptions { penalties: vec![strong], optimizer: Optimizer::sgd(0.1), ..plain() },
    ];
    let plain = FitOptions { optimizer: Optimizer::sgd(0.1), ..plain() };
    for options in &changed {
        // Plain descent keeps nothing, so that a fresh optimizer from the same parameters is the truth.
        let (model, _) = after(device, &[options])?;
        let (mut wanted, (x, labels)) = (model.to_device(device)?, blobs(60, 7));
        wanted.partial_fit(x.slice(s![10..20, ..]), &labels[10..20], &plain)?;
        assert_eq!(bits(&after(device, &[options, &plain])?.0)?, bits(&wanted)?);
        assert_ne!(bits(&after(device, &[options, options])?.0)?, bits(&wanted)?);
    }
    Ok(())
}

/// Schedules and warm-ups go on from call to call.
pub fn schedules_go_on(device: &Device) -> Result<()> {
    let rates = |options: &FitOptions| -> Result<Vec<f64>> {
        let (_, epochs) = after(device, &[options; 5])?;
        Ok(epochs.iter().map(|epoch| epoch.learning_rate / 0.01).collect())
    };
    let near = |got: Vec<f64>, wanted: [f64; 5]| {
        assert!(got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-12), "{got:?}, {wanted:?}");
    };
    let scheduled = |schedule| FitOptions { schedule, ..plain() };
    near(rates(&scheduled(Schedule::Exponential { factor: 0.5 }))?, [1.0, 0.5, 0.25, 0.125, 0.0625]);
    near(rates(&scheduled(Schedule::Step { every: 2, factor: 0.1 }))?, [1.0, 1.0, 0.1, 0.1, 0.01]);
    near(rates(&scheduled(Schedule::Cosine { epochs: 2, minimum: 0.0 }))?, [1.0, 0.5, 0.0, 0.0, 0.0]);
    near(rates(&FitOptions { warm_up_steps: 4, ..plain() })?, [0.25, 0.5, 0.75, 1.0, 1.0]);
    // A loss that never falls by as much as is asked for.
    let plateau = Schedule::OnPlateau { factor: 0.5, patience: 0, threshold: 0.99, minimum: 0.0 };
    near(rates(&scheduled(plateau))?, [1.0, 1.0, 0.5, 0.25, 0.125]);
    Ok(())
}
