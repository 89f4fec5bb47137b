//! The messages to the crate `log` of a rank that is a process.

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use ndarray::s;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{Device, DeviceInfo, DeviceKind, FitOptions, GpuOptions, Mlp, Result, Trainer};

use crate::training::blobs;
use crate::training::over_ranks::{Data, ROWS, WIDTHS};

/// The number of rows of all ranks together that are validated on.
const HELD: usize = 31;

/// A logger that keeps all messages.
struct Collector(Mutex<Vec<String>>);

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

static COLLECTOR: Collector = Collector(Mutex::new(Vec::new()));

/// Each rank logs its own device, its own rows and the rows of all, and logs its own error if another rank's error is reported. A
/// software driver is used if its name is given.
pub fn logged(device: &Device, ranks: &Ranks) -> Result<String> {
    log::set_logger(&COLLECTOR).unwrap();
    log::set_max_level(LevelFilter::Info);
    let (rank, size) = (ranks.rank(), ranks.size());
    assert_eq!(ranks.local_rank(), rank, "all ranks are on one machine");
    let DeviceInfo { kind, name, .. } = device.info();
    let adapter_name = (*kind != DeviceKind::Cpu).then(|| name.clone());
    let by_name = adapter_name.is_some();
    let device = ranks.agree(Device::of_rank(ranks, &GpuOptions { adapter_name, ..Default::default() }))?;
    assert!(!by_name || device.info().name == *name, "{} and not {name}", device.info());
    let (data, own, options) = (Data::new(), ranks.share_of(ROWS), FitOptions { epochs: 1, ..Default::default() });
    let mut model = Mlp::new(&device, &WIDTHS, 1)?;
    let x = data.x.slice(s![own.clone(), ..]);
    let ((held, held_labels), own_held) = (blobs(HELD, 6), ranks.share_of(HELD));
    let held = held.slice(s![own_held.clone(), ..]);
    let trainer = Trainer::new(&options).over(ranks).validation_set(held, &held_labels[own_held]);
    trainer.fit(&mut model, x, &data.labels[own.clone()])?;
    let error = ranks.agree(Err::<(), _>(format!("no file on {rank}"))).unwrap_err();
    assert_eq!(error.to_string(), "rank 0: no file on 0");
    // An error that all ranks have is not logged as a second one: neither when they agree on it, nor when they end with it.
    let known = Ranks::in_threads(2, |threads| {
        threads.agree(threads.agree(if threads.rank() == 0 { Err("gave up") } else { Ok(()) }))
    });
    assert!(known.iter().all(Result::is_err), "{known:?}");

    let mut wanted = vec![
        format!("rank {rank} of {size}: {}", device.info()),
        format!("fit: rank {rank} of {size} has {} of {ROWS} rows, on ", own.len()),
        format!("fit: {ROWS} rows in {} steps an epoch, {HELD} rows to validate on", ROWS.div_ceil(options.batch)),
    ];
    if rank > 0 {
        wanted.push(format!("rank {rank}: no file on {rank}; rank 0 failed too, and is the one that is reported"));
    }
    let records = COLLECTOR.0.lock().unwrap();
    for words in wanted {
        assert!(records.iter().any(|record| record.contains(&words)), "no {words:?} among {records:#?}");
    }
    // Ranks whose parameters are alike take nothing from each other.
    assert!(!records.iter().any(|record| record.contains("parameters differ")), "{records:#?}");
    let again = records.iter().find(|record| record.contains("gave up") && record.contains("failed too"));
    assert!(again.is_none(), "{again:?}");
    Ok("well".into())
}
