//! Trainings over ranks that go on from a checkpoint, which rank 0 has written.

use std::path::{Path, PathBuf};

use ndarray::s;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, FitOptions, Mlp, Result, Trainer};

use super::over_ranks::{Data, ROWS, Trained, WIDTHS, distance, in_threads, shares};
use super::rich;

/// The path of a rank's checkpoint. Only rank 0 writes one.
pub fn checkpoint(folder: &Path, rank: usize) -> PathBuf {
    folder.join(format!("of-rank-{rank}"))
}

/// Trains up to so many epochs on this rank's rows: from rank 0's checkpoint if there is one, else from this seed.
pub fn go_on(device: &Device, ranks: &Ranks, folder: &Path, (epochs, seed): (usize, u64)) -> Result<Trained> {
    let options = FitOptions { epochs, early_stopping: None, validation_fraction: 0.0, ..rich() };
    let (data, own) = (Data::new(), shares(ranks.size(), ROWS).swap_remove(ranks.rank()));
    let mut model = Mlp::new(device, &WIDTHS, seed)?;
    let trainer = Trainer::new(&options).over(ranks).checkpoint(checkpoint(folder, ranks.rank())).resume();
    let history = trainer.fit(&mut model, data.x.slice(s![own.clone(), ..]), &data.labels[own])?;
    Trained::of(&model, &history, Vec::new())
}

/// [`go_on`] on so many ranks, which must all end with the same.
pub fn go_on_over(device: &Device, size: usize, folder: &Path, run: (usize, u64)) -> Result<Trained> {
    in_threads(size, |ranks| go_on(device, ranks, folder, run))
}

/// Rank 0 writes a checkpoint. From it as many ranks reach the same bits, other numbers come close.
pub fn checkpoints(device: &Device) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let name = |rank| checkpoint(folder.path(), rank);
    let run = |size, epochs, seed| go_on_over(device, size, folder.path(), (epochs, seed));
    let whole = run(3, 6, 3)?;
    std::fs::remove_file(name(0)).unwrap();
    run(3, 4, 3)?;
    assert!(name(0).exists() && !name(1).exists() && !name(2).exists());
    let kept = std::fs::read(name(0)).unwrap();
    // The seed is another one, so a training that started from the beginning would end with other parameters.
    assert_eq!(run(3, 6, 99)?, whole, "another training than the one that was not interrupted");
    for size in [1, 2, 4] {
        std::fs::write(name(0), &kept).unwrap();
        let resumed = run(size, 6, 99)?;
        assert_eq!(resumed.epochs[..4], whole.epochs[..4], "{size} ranks: not the epochs of the checkpoint");
        let apart = distance(&resumed, &whole);
        assert!(apart <= 1e-3, "{size} ranks: {apart} apart");
    }
    // An empty file counts as a damaged checkpoint, and is not changed.
    std::fs::write(name(0), []).unwrap();
    let error = run(2, 6, 3).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.starts_with("rank 0: ") && error.contains("of-rank-0"), "{error}");
    assert!(std::fs::read(name(0)).unwrap().is_empty());
    Ok(())
}
