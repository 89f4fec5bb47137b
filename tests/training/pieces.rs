//! Partial fits take the options of each call.

use ndarray::s;
use wgpu_mlp::layers::Init;
use wgpu_mlp::ops::AdamOptions;
use wgpu_mlp::{Device, Epoch, Error, FitOptions, Mlp, Optimizer, Penalty, Result, Schedule};

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

/// A new learning rate applies from the next call on, and the optimizer's state is kept.
pub fn new_learning_rates(device: &Device) -> Result<()> {
    let (first, second) = (plain(), FitOptions { optimizer: Optimizer::adam(0.002), ..plain() });
    let (changed, epochs) = after(device, &[&first, &first, &second, &second])?;
    assert_eq!(epochs.iter().map(|epoch| epoch.learning_rate).collect::<Vec<_>>(), [0.01, 0.01, 0.002, 0.002]);
    // A schedule that falls to a fifth after two epochs gives the same result.
    let (x, labels) = blobs(60, 7);
    let stepped = FitOptions { epochs: 1, schedule: Schedule::Step { every: 2, factor: 0.2 }, ..plain() };
    let (scheduled, rates) = after(device, &[&stepped; 4])?;
    assert_eq!(rates[3].learning_rate, 0.2 * 0.01);
    assert_eq!(bits(&scheduled)?, bits(&changed)?);
    // Adam's moments were kept: with the same parameters, a new optimizer gives another result.
    let (mut fresh, _) = after(device, &[&first, &first])?;
    fresh = fresh.to_device(device)?;
    for rows in [20..30, 30..40] {
        fresh.partial_fit(x.slice(s![rows.clone(), ..]), &labels[rows], &second)?;
    }
    assert_ne!(bits(&fresh)?, bits(&changed)?);
    Ok(())
}

/// Clipping and penalties follow the options of each call.
pub fn clipping_and_penalties_come_and_go(device: &Device) -> Result<()> {
    let strong = Penalty { l2_weights: 0.1, ..Default::default() };
    let changed = [
        FitOptions { clip_norm: Some(1e-3), optimizer: Optimizer::sgd(0.1), ..plain() },
        FitOptions { penalties: vec![strong], optimizer: Optimizer::sgd(0.1), ..plain() },
    ];
    let plain = FitOptions { optimizer: Optimizer::sgd(0.1), ..plain() };
    for options in &changed {
        // Plain gradient descent has no state, so a new optimizer with the same parameters gives the right result.
        let (model, _) = after(device, &[options])?;
        let (mut wanted, (x, labels)) = (model.to_device(device)?, blobs(60, 7));
        wanted.partial_fit(x.slice(s![10..20, ..]), &labels[10..20], &plain)?;
        assert_eq!(bits(&after(device, &[options, &plain])?.0)?, bits(&wanted)?);
        assert_ne!(bits(&after(device, &[options, options])?.0)?, bits(&wanted)?);
    }
    Ok(())
}

/// Schedules and warm-ups continue from call to call.
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
    // The loss never falls by as much as the schedule requires.
    let plateau = Schedule::OnPlateau { factor: 0.5, patience: 0, threshold: 0.99, minimum: 0.0 };
    near(rates(&scheduled(plateau))?, [1.0, 1.0, 0.5, 0.25, 0.125]);
    Ok(())
}

/// A model's state between partial fits is kept until the options name another optimizer, until a fit, or until a reset. The
/// next partial fit after that starts like the first one.
pub fn begin_anew(device: &Device) -> Result<()> {
    let (x, labels) = blobs(60, 7);
    let first = FitOptions { warm_up_steps: 4, ..plain() };
    let part = |model: &mut Mlp, options: &FitOptions| model.partial_fit(x.slice(s![..10, ..]), &labels[..10], options);
    let begun = || -> Result<Mlp> {
        let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
        assert_eq!([part(&mut model, &first)?.index, part(&mut model, &first)?.index], [0, 1]);
        Ok(model)
    };
    let begins = |mut model: Mlp, options: &FitOptions| -> Result<()> {
        // A model that is moved to a device does not take this state with it.
        let mut fresh = model.to_device(device)?;
        let (epoch, wanted) = (part(&mut model, options)?, part(&mut fresh, options)?);
        assert_eq!((epoch.index, epoch.learning_rate), (0, wanted.learning_rate), "{options:?}");
        assert_eq!((epoch.loss, bits(&model)?), (wanted.loss, bits(&fresh)?), "{options:?}");
        Ok(())
    };
    let another = Optimizer::Adam(AdamOptions { learning_rate: 0.01, beta1: 0.8, ..Default::default() });
    for optimizer in [Optimizer::momentum(0.01, 0.9), Optimizer::sgd(0.01), another] {
        begins(begun()?, &FitOptions { optimizer, ..first.clone() })?;
    }
    let mut fitted = begun()?;
    fitted.fit(x.view(), &labels, &FitOptions { epochs: 1, ..plain() })?;
    begins(fitted, &first)?;
    let mut reset = begun()?;
    reset.reset(Init::He, 3)?;
    assert_eq!(bits(&reset)?, bits(&Mlp::new(device, &[4, 8, 3], 3)?)?);
    assert_eq!(reset.last_copy(), reset.parameters()?);
    begins(reset, &first)?;
    // A reset that is refused changes nothing.
    let (mut kept, mut other) = (begun()?, begun()?);
    assert!(matches!(kept.reset(Init::Normal(-1.0), 3), Err(Error::Option { option: "standard_deviation", .. })));
    assert_eq!((part(&mut kept, &first)?.index, part(&mut other, &first)?.index), (2, 2));
    assert_eq!(bits(&kept)?, bits(&other)?);
    Ok(())
}
