//! Sixteen threads share a device, and each checks its own results.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use ndarray::Array2;
use wgpu_mlp::ops::{self, Activation};
use wgpu_mlp::{Device, FitOptions, GpuOptions, Matrix, Mlp, Plan, Result, Targets};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    fn shared<T: Send + Sync>() {}
    shared::<Device>();
    shared::<Matrix>();
    shared::<Targets>();
    shared::<Mlp>();
    shared::<Plan>();
    vec![
        common::trial("sixteen threads on one device", GpuOptions::default(), sixteen),
        common::trial("others work while one thread waits", GpuOptions::default(), beside_a_wait),
        common::trial("two devices on two threads", GpuOptions::default(), two_devices),
        common::trial("a waker that panics leaves no other task waiting", GpuOptions::default(), panicking_waker),
    ]
}

/// Two tasks wait for one device. The first is woken while the request of the second lies behind its own.
fn panicking_waker(device: &Device) -> Result<(), Failed> {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("this waker always panics");
        }
    }
    let array = common::normal(30, 20, 2);
    let matrix = Matrix::from_array(device, array.view())?;
    let x = ops::softmax(&Matrix::from_array(device, common::normal(512, 512, 1).view())?)?;
    let products = (0..4).map(|_| ops::matmul(&x, &x)).collect::<Result<Vec<_>>>()?;
    let waker = Waker::from(Arc::new(Panics));
    let mut waiting = pin!(device.wait_async());
    if waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
        common::say("skipped: a waker that panics, since this device is done before anyone waits");
        return Ok(());
    }
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(pollster::block_on(matrix.to_array_async())));
    let read = receiver.recv_timeout(Duration::from_secs(60)).map_err(|_| "the second task waits for ever")?;
    assert_eq!(read?, array);
    // Later tasks are served as well.
    let read = pollster::block_on(products[3].to_array_async())?;
    assert!(common::same_bits(&[read], &[products[0].to_array()?]));
    Ok(())
}

/// Repeated products of factors whose rows add up to 1: work that takes a while without overflow.
fn long_work(device: &Device, products: usize) -> Result<Array2<f32>> {
    let x = ops::softmax(&Matrix::from_array(device, common::normal(512, 512, 1).view())?)?;
    let mut y = x.clone();
    for _ in 0..products {
        y = ops::matmul(&y, &x)?;
    }
    y.to_array()
}

/// With --full the work takes longer than 6 s, after which wgpu assumes that the lock of an OpenGL context is dead.
fn beside_a_wait(device: &Device) -> Result<(), Failed> {
    let products = match (common::full(), common::full_cases()) {
        (true, true) => 1000,
        (false, true) => 50,
        (_, false) => 10,
    };
    let short = common::normal(3, 5, 1);
    // The kernels are compiled before, which on a busy machine can take longer than the work.
    ops::relu(&Matrix::from_array(device, short.view())?)?;
    long_work(device, 1)?;
    // A busy machine may give this thread no time beside one wait, but not beside each of several.
    for attempt in 1..=5 {
        let rounds = rounds_beside_a_wait(device, products, &short)?;
        if rounds > 1 || device.info().kind == wgpu_mlp::DeviceKind::Gpu {
            return Ok(());
        }
        common::say(&format!("wait {attempt} was over after {rounds} ops beside it"));
    }
    Err("nobody works beside one who waits".into())
}

/// The number of ops that this thread begins while another waits for a number of products.
fn rounds_beside_a_wait(device: &Device, products: usize, short: &Array2<f32>) -> Result<u32, Failed> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let result = long_work(device, products);
            done.store(true, Relaxed);
            result
        });
        let (mut longest, mut rounds) = (Duration::ZERO, 0u32);
        while !done.load(Relaxed) {
            let start = Instant::now();
            ops::relu(&Matrix::from_array(device, short.view())?)?;
            longest = longest.max(start.elapsed());
            rounds += 1;
            thread::sleep(Duration::from_millis(1));
        }
        common::say(&format!("{rounds} ops beside a wait, the longest of {longest:.1?}"));
        let y = waiting.join().expect("no panic")?;
        assert!(y.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-3), "rows add up to 1");
        Ok(rounds)
    })
}

fn two_devices(device: &Device) -> Result<(), Failed> {
    let second = common::device(&GpuOptions::default())?;
    let (first, second) = thread::scope(|scope| {
        let other = scope.spawn(|| long_work(&second, 5));
        (long_work(device, 5), other.join().expect("no panic"))
    });
    assert!(common::same_bits(&[first?], &[second?]));
    Ok(())
}

fn sixteen(device: &Device) -> Result<(), Failed> {
    let seconds = if std::env::var_os("WGPU_MLP_FULL").is_some() { 10 } else { 2 };
    let model = Mlp::new(device, &[17, 24, 5], 3)?;
    // The work runs once on one thread, so that every kernel is compiled before the threads start.
    round(device, &model, 0)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let rounds = thread::scope(|scope| {
        let worker = |seed: u64| {
            let model = &model;
            move || {
                let mut rounds = 0;
                while Instant::now() < end {
                    round(device, model, seed + 16 * rounds)?;
                    rounds += 1;
                }
                Ok(rounds)
            }
        };
        let threads: Vec<_> = (0..16).map(|seed| scope.spawn(worker(seed))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<Vec<u64>>>()
    })?;
    common::say(&format!("rounds of the threads: {rounds:?}"));
    assert!(rounds.iter().all(|rounds| *rounds > 0));
    Ok(())
}

/// Ops, an update in place beside a clone, a prediction and a small fit, held to the CPU path.
fn round(device: &Device, model: &Mlp, seed: u64) -> Result<()> {
    let cpu = Device::cpu();
    let (x, w, b) = (common::normal(40, 17, seed), common::normal(17, 5, seed + 1), common::normal(1, 5, seed + 2));
    let labels: Vec<u32> = (0..40).map(|row| (row + seed as u32) % 5).collect();
    let run = |device: &Device| -> Result<[Array2<f32>; 4]> {
        let on = |x: &Array2<f32>| Matrix::from_array(device, x.view());
        let logits = ops::linear(&on(&x)?, &on(&w)?, &on(&b)?, Activation::Relu)?;
        let head = ops::softmax_cross_entropy(&logits, &Targets::classes(device, &labels, 5)?, &Default::default())?;
        let dw = ops::matmul_tn(&on(&x)?, head.dlogits())?;
        let (mut moved, kept) = (on(&w)?, on(&w)?);
        let clone = moved.clone();
        ops::sgd(&mut moved, &dw, 0.5)?;
        assert_eq!(clone.to_array()?, kept.to_array()?, "the clone stays as it was");
        Ok([logits.to_array()?, head.losses().to_array()?, dw.to_array()?, moved.to_array()?])
    };
    for (got, want) in run(device)?.iter().zip(run(&cpu)?.iter()) {
        let near = got.iter().zip(want).all(|(got, want)| (got - want).abs() <= 1e-4 * (1.0 + want.abs()));
        assert!(near, "seed {seed}: {got} {want}");
    }
    let probs = model.predict_proba(x.view())?;
    let mut own = Mlp::new(device, &[17, 5], seed)?;
    own.fit(x.view(), &labels, &FitOptions { epochs: 1, batch: 16, seed, ..Default::default() })?;
    let again = model.predict_proba(x.view())?;
    assert!(common::same_bits(&[probs], &[again]), "seed {seed}: a shared model gives other bits");
    Ok(())
}
