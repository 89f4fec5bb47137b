//! Learning rates that grow much too large, and weights that become infinite without any effect on a loss.

use ndarray::Array2;
use wgpu_mlp::{Device, Error, FitOptions, History, Mlp, Optimizer, Result, Schedule, Trainer};

use super::bits;
use super::undone::{eights, large, model, update_at};

/// The rate becomes much too large in the third epoch. Whichever step that affects, the second epoch's checkpoint is kept.
pub fn wild_rates(device: &Device) -> Result<()> {
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: "temporary".into(), source })?;
    let (x, labels) = large();
    let schedule = Schedule::Step { every: 2, factor: 3e42 };
    // Epochs of one step, so that the third epoch's only step is its last, and epochs of eight steps.
    for (batch, epochs) in [(64, 3), (64, 5), (8, 3)] {
        let path = folder.path().join(format!("{batch}-{epochs}"));
        let options = FitOptions { batch, schedule, ..eights(epochs, Optimizer::sgd(1e-4)) };
        let mut trained = model(device)?;
        let error = Trainer::new(&options).checkpoint(&path).fit(&mut trained, x.view(), &labels).unwrap_err();
        update_at(&error, 2, 0);
        let twice = FitOptions { epochs: 2, ..options.clone() };
        let mut wanted = model(device)?;
        wanted.fit(x.view(), &labels, &twice)?;
        assert_eq!(bits(&trained)?, bits(&wanted)?, "batch {batch}, {epochs} epochs");
        let mut resumed = model(device)?;
        let history: History = Trainer::new(&twice).checkpoint(&path).resume().fit(&mut resumed, x.view(), &labels)?;
        assert_eq!((bits(&resumed)?, history.epochs.len()), (bits(&wanted)?, 2));
    }
    Ok(())
}

/// A weight of -inf before a ReLU has no effect on any loss, neither on the next one nor on later ones.
pub fn hidden_infinities(device: &Device) -> Result<()> {
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: "temporary".into(), source })?;
    let path = folder.path().join("model.safetensors");
    let numbers = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    let tensors = [
        ("0.weight", vec![1, 1], numbers(&[0.1])),
        ("0.bias", vec![1], numbers(&[0.0])),
        ("2.weight", vec![2, 1], numbers(&[1.0, 0.0])),
        ("2.bias", vec![2], numbers(&[0.0, 0.0])),
    ];
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (*name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let (x, labels) = (Array2::from_elem((32, 1), 10.0), [1u8; 32]);
    let mut trained = Mlp::load(device, &path)?;
    // The gradient of the first weight is 7.3, of every other parameter below 1.
    let wild = FitOptions { stop_on_non_finite: false, ..eights(2, Optimizer::sgd(1e38)) };
    let history = trained.clone().fit(x.view(), &labels, &wild)?;
    assert_eq!(history.epochs.iter().map(|epoch| epoch.non_finite_rows).sum::<u64>(), 0);
    let before = bits(&trained)?;
    let error = trained.fit(x.view(), &labels, &eights(2, Optimizer::sgd(1e38))).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "update", layer: 0, epoch: 0, step: 0, .. }), "{error}");
    assert_eq!(bits(&trained)?, before);
    Ok(())
}
