//! Times every everyday case of the table on the GPU (or software driver) and on the CPU path, with the throughput that
//! the case's own operations and bytes give.
//!
//! ```text
//! cargo bench --bench ops -- matmul
//! ```
//!
//! The answer is checked once before it is timed. Operands are uploaded for each call, as in the parity case: these figures
//! are those of a whole call, transfers included.
//!
//! The sizes are those of the table that the parity report runs, which a CPU can check quickly; they do not fill a GPU.
//! `cargo bench --bench roofline` has sizes that do.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wgpu_mlp::{Device, verify};

fn ops(criterion: &mut Criterion) {
    let mut devices = vec![("cpu", Device::cpu())];
    match Device::gpu() {
        Ok(gpu) => devices.insert(0, ("gpu", gpu)),
        Err(error) => eprintln!("skipped: the GPU ({error})"),
    }
    for (label, device) in &devices {
        println!("{label}: {}", device.info());
    }
    let everyday = |case: &&verify::Case| case.large && (case.variant.is_empty() || !case.variant.contains("integers"));
    for case in verify::cases().iter().filter(everyday) {
        let mut group = criterion.benchmark_group(case.op);
        group.sample_size(10).throughput(Throughput::Bytes(case.bytes));
        let inputs = case.inputs(0);
        for (label, device) in &devices {
            match case.verify(device, 0) {
                Ok(worst) if worst.passed() => {}
                Ok(worst) => {
                    eprintln!("{case} on {label} is wrong and is not timed: {worst}");
                    continue;
                }
                Err(error) => {
                    eprintln!("{case} on {label} fails and is not timed: {error}");
                    continue;
                }
            }
            let name = format!("{} {}", case.shape(), case.variant);
            group.bench_function(BenchmarkId::new(*label, name.trim()), |bencher| {
                bencher.iter(|| case.run(device, &inputs));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, ops);
criterion_main!(benches);
