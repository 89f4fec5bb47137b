//! Rows in files, in one file for all ranks or one for each rank: the training is the same as with rows of arrays.

use std::fs::File;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use ndarray::{Array2, s};
use wgpu_mlp::data::{npy_view, open_npy, read_npy_labels, shard_paths, write_npy};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::source::RowSource;
use wgpu_mlp::{Device, Error, FitOptions, Mlp, Result, Trainer};

use crate::training::bits;
use crate::training::over_ranks::{Data, ROWS, WIDTHS, shares};
use crate::{digest, say_alike};

const SIZE: usize = 3;

/// Trains on this rank's rows from any source, and predicts those of all ranks.
fn trained(device: &Device, ranks: &Ranks, rows: impl RowSource, labels: &[i64]) -> Result<String> {
    let options = FitOptions { epochs: 2, batch: 20, ..Default::default() };
    let mut model = Mlp::new(device, &WIDTHS, 1)?;
    let history = Trainer::new(&options).over(ranks).fit(&mut model, &rows, labels)?;
    let losses: Vec<_> = history.epochs.iter().map(|epoch| epoch.loss).collect();
    let classes = model.predict_over(ranks, &rows)?;
    // This process also has the rows of all ranks in an array.
    assert_eq!(classes, model.predict(Data::new().x.view())?);
    Ok(format!("{:08x?} {losses:?} {classes:?}", bits(&model)?))
}

/// Trains on a slice of one mapped file, which rank 0 writes.
pub fn mapped(device: &Device, ranks: &Ranks, path: &Path) -> Result<String> {
    let data = Data::new();
    ranks.agree(if ranks.rank() == 0 { write_npy(path, data.x.view()) } else { Ok(()) })?;
    let failed = |source| Error::File { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    #[allow(unsafe_code, reason = "nobody changes the file")]
    let bytes = unsafe { memmap2::Mmap::map(&file) }.map_err(failed)?;
    let (rows, own) = (npy_view(&bytes, path)?, shares(ranks.size(), ROWS).swap_remove(ranks.rank()));
    trained(device, ranks, rows.slice(s![own.clone(), ..]), &data.labels[own])
}

/// Trains on this rank's files, which are some of the files of all ranks.
pub fn of_rank(device: &Device, ranks: &Ranks, folder: &Path) -> Result<String> {
    let own = |part: &str| -> Result<PathBuf> {
        Ok(shard_paths(folder.join(format!("{part}-*.npy")))?.swap_remove(ranks.rank()))
    };
    trained(device, ranks, open_npy(own("rows")?)?, &read_npy_labels(own("labels")?)?)
}

pub fn one_for_all() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    as_from_arrays("one file", &folder.path().join("rows.npy"))
}

/// The second rank's files have no rows.
pub fn one_for_each() -> Result<(), Failed> {
    let (folder, data) = (tempfile::tempdir()?, Data::new());
    for (rank, own) in shares(SIZE, ROWS).into_iter().enumerate() {
        let path = |part: &str| folder.path().join(format!("{part}-{rank}.npy"));
        write_npy(path("rows"), data.x.slice(s![own.clone(), ..]))?;
        let labels = Array2::from_shape_fn((own.len(), 1), |(row, _)| data.labels[own.start + row] as f32);
        write_npy(path("labels"), labels.view())?;
    }
    as_from_arrays("files", folder.path())
}

/// A job that reads its rows from files has the bits of the same number of threads with rows in arrays.
fn as_from_arrays(what: &str, path: &Path) -> Result<(), Failed> {
    let (device, data) = (Device::cpu(), Data::new());
    let threads = Ranks::in_threads(SIZE, |ranks| {
        let own = shares(SIZE, ROWS).swap_remove(ranks.rank());
        trained(&device, ranks, data.x.slice(s![own.clone(), ..]), &data.labels[own])
    });
    let threads = threads.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(say_alike(&[what, "cpu", &path.to_string_lossy()], SIZE)?, digest(&threads[0]));
    Ok(())
}
