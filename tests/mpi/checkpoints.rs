//! Checkpoints of trainings over processes: rank 0 writes them, and any number of ranks can continue from them.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use ndarray::s;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, Epoch, FitOptions, Mlp, Result, Trainer};

use crate::job::Job;
use crate::training::over_ranks::{self, Data, ROWS, WIDTHS, shares};
use crate::training::ranks_resumed;
use crate::training::{self, bits, rich};
use crate::{digest, say_alike};

/// Four of six epochs on three ranks, and the other two in another job. On the same number of ranks the result has the bits of
/// a training that was not interrupted; on more or fewer it is close to them, and has the bits of threads that continue from
/// this checkpoint.
pub fn resumed() -> Result<(), Failed> {
    let (device, folder, other) = (Device::cpu(), tempfile::tempdir()?, tempfile::tempdir()?);
    let checkpoint = ranks_resumed::checkpoint(folder.path(), 0);
    let run = |size: usize, epochs: &str, seed: &str| {
        say_alike(&["go on", "cpu", &folder.path().to_string_lossy(), epochs, seed], size)
    };
    let whole = ranks_resumed::go_on_over(&device, 3, other.path(), (6, 3))?;
    run(3, "4", "3")?;
    let files = fs::read_dir(folder.path())?.count();
    assert!(checkpoint.exists() && files == 1, "{files} files, where rank 0 alone keeps one");
    let kept = fs::read(&checkpoint)?;
    for size in [3, 4, 1] {
        // The seed is another one, so a training that started from the beginning would end with other parameters.
        fs::write(&checkpoint, &kept)?;
        let said = run(size, "6", "99")?;
        fs::write(&checkpoint, &kept)?;
        let threads = ranks_resumed::go_on_over(&device, size, folder.path(), (6, 99))?;
        assert_eq!(said, digest(&threads.words()), "{size} ranks: not as threads");
        if size == 3 {
            assert_eq!(threads, whole, "another training than the one that was not interrupted");
        }
        assert_eq!(threads.epochs.len(), 6, "{size} ranks");
        assert_eq!(threads.epochs[..4], whole.epochs[..4], "{size} ranks: not the epochs of the checkpoint");
        let apart = over_ranks::distance(&threads, &whole);
        assert!(apart <= 1e-3, "{size} ranks: {apart} apart");
    }
    Ok(())
}

/// Trains with a part of the rows held back, up to so many epochs: from rank 0's checkpoint if there is one, else from this seed.
/// Returns the losses on these rows, and a text with the best epoch and its parameters, which are restored at the end.
pub fn held_back(
    device: &Device,
    ranks: &Ranks,
    checkpoint: &Path,
    (epochs, seed): (usize, u64),
) -> Result<(Vec<Option<f64>>, String)> {
    let (data, options) = (Data::new(), FitOptions { epochs, ..rich() });
    let own = shares(ranks.size(), ROWS).swap_remove(ranks.rank());
    let mut model = Mlp::new(device, &WIDTHS, seed)?;
    let trainer = Trainer::new(&options).over(ranks).checkpoint(checkpoint).resume();
    let history = trainer.fit(&mut model, data.x.slice(s![own.clone(), ..]), &data.labels[own])?;
    let losses = history.epochs.iter().map(|epoch| epoch.validation_loss).collect();
    Ok((losses, format!("{:?} {:08x?}", history.best_epoch, bits(&model)?)))
}

/// A training that validates on a part of the rows of all ranks and stops early continues over as many ranks to the bits of a
/// training that was not interrupted, and over fewer ranks to those of as many threads.
pub fn held_back_resumed() -> Result<(), Failed> {
    let (folder, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let [path, whole_path] = [&folder, &other].map(|folder| folder.path().join("training.checkpoint"));
    let job = |size: usize, epochs: &str, seed: &str| {
        say_alike(&["held back", "cpu", &path.to_string_lossy(), epochs, seed], size)
    };
    let threads = |size: usize, path: &Path, run: (usize, u64)| {
        let all = Ranks::in_threads(size, |ranks| held_back(&Device::cpu(), ranks, path, run));
        all.into_iter().collect::<Result<Vec<_>>>().map(|mut all| all.swap_remove(0))
    };
    let whole = threads(3, &whole_path, (6, 3))?;
    job(3, "4", "3")?;
    let kept = fs::read(&path)?;
    for size in [3, 2] {
        // The seed is another one, so a training that started from the beginning would end with other parameters.
        fs::write(&path, &kept)?;
        let said = job(size, "6", "99")?;
        fs::write(&path, &kept)?;
        let resumed = threads(size, &path, (6, 99))?;
        assert_eq!(said, digest(&format!("{resumed:?}")), "{size} ranks: not as threads");
        assert_eq!(resumed.0[..4], whole.0[..4], "{size} ranks: not the epochs of the checkpoint");
        assert!(size != 3 || resumed == whole, "another training than the one that was not interrupted");
    }
    Ok(())
}

/// A training of many epochs, with a checkpoint after each. It ends by itself after minutes, in case the process that should
/// interrupt it has ended.
pub fn long(device: &Device, ranks: &Ranks, checkpoint: &str) -> Result<String> {
    let (x, labels) = training::blobs(90, 5);
    let own = ranks.share_of(labels.len());
    let options = FitOptions { epochs: 1_000_000, batch: 30, ..Default::default() };
    let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
    let begun = Instant::now();
    let mut is_late = |_: &Mlp, _: &Epoch| {
        let late = begun.elapsed() > Duration::from_secs(180);
        Ok(if late { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let trainer = Trainer::new(&options).over(ranks).checkpoint(checkpoint).callback(&mut is_late);
    trainer.fit(&mut model, x.slice(s![own.clone(), ..]), &labels[own]).map(|_| "ended".into())
}

/// Ctrl-C in a training leaves a checkpoint of a whole epoch, from which one process can continue.
pub fn interrupted() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("training.checkpoint");
    let job = Job::start(2, &["long", "cpu", &path.to_string_lossy()])?;
    job.when(|| path.exists(), Duration::from_secs(300))?;
    std::thread::sleep(Duration::from_millis(500));
    job.interrupt()?;
    let ended = job.ended(Duration::from_secs(300))?;
    assert!(!ended.success, "{}", ended.text());
    let (x, labels) = training::blobs(90, 5);
    let mut model = Mlp::new(&Device::cpu(), &[4, 8, 3], 1)?;
    let options = FitOptions { epochs: 0, batch: 30, ..Default::default() };
    let history = Trainer::new(&options).checkpoint(&path).resume().fit(&mut model, x.view(), &labels)?;
    assert!(!history.epochs.is_empty(), "no whole epoch is in the checkpoint");
    Ok(())
}
