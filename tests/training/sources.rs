//! Sources of rows: each gives the bits of the array that it stands for.

use std::task::{Context, Waker};

use ndarray::{Array2, Axis, s};
use wgpu_mlp::source::half::{bf16, f16};
use wgpu_mlp::source::{Converted, FromFn, Multiplied, RowSource, Selected, Shards};
use wgpu_mlp::{Device, Error, FitOptions, Mlp, Result, Trainer};

use super::{Stop, bits, blobs, rich, without_times};

pub(super) const ROWS: usize = 90;

/// The numbers of the workers that are tried: none, one, and more than the machine has cores.
pub(super) const WORKERS: [usize; 3] = [0, 1, 5];

pub(super) fn model(device: &Device) -> Result<Mlp> {
    Mlp::new(device, &[4, 8, 3], 5)
}

/// Features that every number type holds exactly: small multiples of an eighth.
pub(super) fn exact() -> (Array2<f32>, Vec<u8>) {
    let (x, labels) = blobs(ROWS, 1);
    (x.mapv(|value| (8.0 * value).round().clamp(0.0, 40.0) / 8.0), labels)
}

/// All results of a training and of the calls after it: histories, bits, classes, probabilities, scores.
fn all_results(device: &Device, x: &dyn RowSource, labels: &[u8], workers: usize) -> Result<String> {
    let options = FitOptions { batch: 16, workers, ..rich() };
    let weights: Vec<f32> = (0..ROWS).map(|row| 0.5 + (row % 4) as f32 / 4.0).collect();
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: "temporary".into(), source })?;
    let path = folder.path().join("run.checkpoint");
    let mut fitted = model(device)?;
    Trainer::new(&options).row_weights(&weights).checkpoint(&path).callback(&mut Stop(3)).fit(
        &mut fitted,
        x,
        labels,
    )?;
    let mut fitted = model(device)?;
    let trainer = Trainer::new(&options).row_weights(&weights).checkpoint(&path).resume();
    let history = trainer.fit(&mut fitted, x, labels)?;
    let mut validated = model(device)?;
    let second = Trainer::new(&options).validation_set(x, labels).fit(&mut validated, x, labels)?;
    let partial = validated.partial_fit(x, labels, &FitOptions { shuffle: false, ..options })?;
    let epochs = [without_times(&history), without_times(&second)].concat();
    let scores = (fitted.score(x, labels)?, fitted.score_top_k(x, labels, 2)?, fitted.evaluate(x, labels)?);
    let classes = (fitted.predict(x)?, fitted.confusion_matrix(x, labels)?);
    let values = (fitted.predict_proba(x)?, fitted.predict_log_proba(x)?);
    let all = (bits(&fitted)?, bits(&validated)?, epochs, partial.loss, partial.rows);
    Ok(format!("{all:?} {scores:?} {classes:?} {values:?}"))
}

/// These sources must give the results of this array, with any number of workers.
pub(super) fn same_results(
    device: &Device,
    x: &Array2<f32>,
    labels: &[u8],
    sources: &[(&str, Box<dyn RowSource + '_>)],
) -> Result<()> {
    let wanted = all_results(device, x, labels, 0)?;
    for (name, source) in sources {
        for workers in WORKERS {
            let found = all_results(device, source, labels, workers)?;
            assert!(found == wanted, "{name}, {workers} workers:\n{found}\n{wanted}");
        }
    }
    Ok(())
}

/// Every source gives the results of the array that it stands for, with any number of workers.
pub fn as_the_array(device: &Device) -> Result<()> {
    let (x, labels) = exact();
    let pixels = x.mapv(|value| (8.0 * value) as u8);
    let wide = ndarray::concatenate![Axis(1), x, x];
    let turned = x.t().to_owned();
    let order: Vec<usize> = (0..ROWS).map(|row| row * 7 % ROWS).collect();
    let mut scattered = Array2::zeros(x.dim());
    order.iter().enumerate().for_each(|(row, place)| scattered.row_mut(*place).assign(&x.row(row)));
    let shards = [(0, 7), (7, 8), (8, 60), (60, ROWS)];
    let shards: Vec<_> = shards.iter().map(|(first, end)| x.slice(s![*first..*end, ..])).collect();
    let reference = &x;
    let sources: [(&str, Box<dyn RowSource + '_>); 12] = [
        ("columns of a wider array", Box::new(wide.slice(s![.., ..4]))),
        ("Fortran order", Box::new(turned.t())),
        ("f64", Box::new(Converted(x.mapv(f64::from)))),
        ("f16", Box::new(Converted(x.mapv(f16::from_f32)))),
        ("bf16", Box::new(Converted(x.mapv(bf16::from_f32)))),
        ("f16 in Fortran order", Box::new(Converted(turned.mapv(f16::from_f32).reversed_axes()))),
        ("u8 and a factor", Box::new(Multiplied::new(Converted(pixels), 0.125))),
        ("selected rows", Box::new(Selected::new(&scattered, order)?)),
        ("shards", Box::new(Shards::new(shards)?)),
        ("one shard", Box::new(Shards::new(vec![&x])?)),
        (
            "a function",
            Box::new(FromFn::new((ROWS, 4), |row, into: &mut [f32]| {
                into.iter_mut().zip(x.row(row)).for_each(|(into, value)| *into = *value);
                Ok::<(), String>(())
            })),
        ),
        ("a reference to a reference", Box::new(&reference)),
    ];
    same_results(device, &x, &labels, &sources)?;
    #[cfg(feature = "data")]
    super::file_sources::as_the_array(device)?;
    Ok(())
}

/// Batches whose rows go through staging memory in several pieces, and a last batch of another length.
pub fn long_batches(device: &Device) -> Result<()> {
    let (rows, cols) = (5_000, 600);
    let x = Array2::from_shape_fn((rows, cols), |(row, col)| ((row * 31 + col * 17) % 64) as f32 / 64.0);
    let labels: Vec<u8> = (0..rows).map(|row| (row % 3) as u8).collect();
    let halves = Converted(x.mapv(f16::from_f32));
    let trained = |x: &dyn RowSource, workers| {
        let mut model = Mlp::new(device, &[cols, 3], 5)?;
        let options = FitOptions { batch: 2_300, epochs: 2, workers, ..Default::default() };
        model.fit(x, &labels, &options)?;
        bits(&model)
    };
    let wanted = trained(&x, 0)?;
    let course =
        course(device, &x, &labels, &FitOptions { batch: 2_300, shuffle: false, epochs: 4, ..Default::default() })?;
    for workers in WORKERS {
        assert!(trained(&x, workers)? == wanted, "an array, {workers} workers");
        assert!(trained(&halves, workers)? == wanted, "halves, {workers} workers");
        // In an awaited training, so many threads read the rows of a step just before it; the rows of a function are not in
        // memory.
        let function = FromFn::new((rows, cols), |row, into: &mut [f32]| {
            into.iter_mut().zip(x.row(row)).for_each(|(into, value)| *into = *value);
            Ok::<(), String>(())
        });
        assert!(trained(&function, workers)? == wanted, "a function, {workers} workers");
        let mut model = Mlp::new(device, &[cols, 3], 5)?;
        let options = FitOptions { batch: 2_300, epochs: 2, workers, ..Default::default() };
        pollster::block_on(model.fit_async(&function, &labels, &options))?;
        assert!(bits(&model)? == wanted, "a function, awaited, {workers} threads");
        dropped(device, &function, &labels, &FitOptions { shuffle: false, epochs: 4, ..options }, &course)?;
    }
    Ok(())
}

/// The parameters before the first step and after each step: partial fits of a batch are the steps of a fit without shuffling.
fn course(device: &Device, x: &Array2<f32>, labels: &[u8], options: &FitOptions) -> Result<Vec<Vec<u32>>> {
    let mut model = Mlp::new(device, &[x.ncols(), 3], 5)?;
    let mut course = vec![bits(&model)?];
    for _ in 0..options.epochs {
        for (x, labels) in x.axis_chunks_iter(Axis(0), options.batch).zip(labels.chunks(options.batch)) {
            model.partial_fit(x, labels, options)?;
            course.push(bits(&model)?);
        }
    }
    Ok(course)
}

/// A training that is dropped between two steps leaves the parameters of a whole number of steps, and can be trained on.
fn dropped(device: &Device, x: &dyn RowSource, labels: &[u8], options: &FitOptions, course: &[Vec<u32>]) -> Result<()> {
    let mut model = Mlp::new(device, &[x.dim().1, 3], 5)?;
    let mut future = Box::pin(model.fit_async(x, labels, options));
    let mut polls = Context::from_waker(Waker::noop());
    for poll in 0..2 {
        assert!(future.as_mut().poll(&mut polls).is_pending(), "done at poll {poll}, {} threads", options.workers);
    }
    drop(future);
    let steps = bits(&model).map(|found| course.iter().position(|known| *known == found))?;
    assert!(steps.is_some_and(|steps| steps + 1 < course.len()), "dropped behind {steps:?} steps");
    model.fit(x, labels, options)?;
    Ok(())
}
