//! Trainings over ranks that share a GPU, or of which one has none.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use libtest_mimic::Failed;
use ndarray::s;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::source::FromFn;
use wgpu_mlp::{Device, Epoch, FitOptions, GpuOptions, Mlp, Optimizer, Result, Trainer};

use crate::common::{self, Trial};
use crate::training::{over_ranks, rank_faults, ranks_resumed};

pub fn trials() -> Vec<Trial> {
    let on_device = |name: &str, test: fn(&Device) -> Result<()>| {
        common::trial(name, GpuOptions::default(), move |device| Ok(test(device)?))
    };
    vec![
        on_device("a training is that of one process on all rows", over_ranks::as_one_process),
        on_device("weights may be of any size", over_ranks::weights_of_any_size),
        on_device("all ranks decide alike", over_ranks::decisions),
        on_device("scores are those of one process on all rows", over_ranks::scores),
        on_device("checkpoints are resumed by any number of ranks", ranks_resumed::checkpoints),
        on_device("no fault leaves a rank waiting", |device| rank_faults::faults(device, 20)),
        on_device("a device that is lost ends the training on all ranks", rank_faults::lost),
        on_device("an update that is not finite is undone on all ranks", rank_faults::undone),
        common::trial("a training finds its kernels", GpuOptions::default(), finds_its_kernels),
        common::trial("ranks on different devices end with the same bits", GpuOptions::default(), on_different_devices),
    ]
}

/// The kernels that are compiled before the first rows are read are those that the training launches. A rank has all rows of a
/// batch or none, so its steps have one shape.
fn finds_its_kernels(device: &Device) -> Result<(), Failed> {
    if device.info().backend == "gl" {
        common::say("skipped: ranks find their kernels, since through OpenGL each is compiled when it is launched");
        return Ok(());
    }
    let (x, labels) = common::clusters(128, 6, 3, 4);
    let options = FitOptions {
        epochs: 2,
        batch: 32,
        dropout: 0.5,
        clip_norm: Some(1.0),
        optimizer: Optimizer::adam(0.01),
        shuffle: false,
        ..Default::default()
    };
    let other = common::device(&GpuOptions::default())?;
    let devices = [device, &other];
    let ranks = Ranks::in_threads(2, |ranks| {
        // Each has its own device, so that neither can use kernels that the other has compiled.
        let device = devices[ranks.rank()];
        let (own, ahead) = (ranks.share_of(128), OnceLock::new());
        let rows = FromFn::new((own.len(), 6), |row, into: &mut [f32]| {
            ahead.get_or_init(|| device.counters().pipelines);
            into.copy_from_slice(x.row(own.start + row).as_slice().unwrap_or_default());
            Ok::<(), Infallible>(())
        });
        let mut model = Mlp::new(device, &[6, 16, 3], 1)?;
        Trainer::new(&options).over(ranks).fit(&mut model, rows, &labels[own.clone()])?;
        Ok::<_, wgpu_mlp::Error>((ahead.get().copied(), device.counters().pipelines))
    });
    for (rank, counted) in ranks.into_iter().enumerate() {
        let (ahead, all) = counted?;
        assert!(ahead > Some(2) && ahead == Some(all), "rank {rank}: {ahead:?} of {all} kernels are compiled ahead");
    }
    Ok(())
}

/// Devices that round differently drift apart within an epoch, and take the parameters of rank 0 at its end.
fn on_different_devices(gpu: &Device) -> Result<(), Failed> {
    let (x, labels) = common::clusters(150, 6, 3, 4);
    let options = FitOptions { epochs: 3, batch: 32, optimizer: Optimizer::adam(0.01), ..Default::default() };
    let ended = Ranks::in_threads(2, |ranks| {
        let device = if ranks.rank() == 0 { Device::cpu() } else { gpu.clone() };
        let own = ranks.share_of(150);
        let mut model = Mlp::new(&device, &[6, 16, 3], 1)?;
        let x = x.slice(s![own.clone(), ..]);
        let mut by_epoch = Vec::new();
        // The parameters have been made equal each time before callbacks see them.
        let mut watch = |model: &Mlp, _: &Epoch| {
            by_epoch.push(model.parameters()?);
            Ok(ControlFlow::Continue(()))
        };
        Trainer::new(&options).over(ranks).callback(&mut watch).fit(&mut model, x, &labels[own])?;
        Ok::<_, wgpu_mlp::Error>((by_epoch, model.parameters()?))
    });
    let ended = ended.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(ended[0], ended[1]);
    Ok(())
}
