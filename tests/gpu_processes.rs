//! A process that has used a device ends with exit code 0, whatever it left open.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::env;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use wgpu_mlp::{Device, GpuOptions, Matrix, Result, ops};

use common::Trial;

/// The task of a child process.
const CHILD: &str = "WGPU_MLP_CHILD";

/// The ways in which a program ends its work before it returns from `main`.
type Ending = fn() -> Result<()>;

const ENDINGS: [(&str, Ending); 5] = [
    ("a device is open for ever", device_open_for_ever),
    ("a read is on its way", read_on_its_way),
    ("a future was dropped half way", future_dropped),
    ("a device is dropped on another thread", dropped_elsewhere),
    ("200 devices were open on eight threads", many_devices),
];

fn main() -> ExitCode {
    if let Ok(child) = env::var(CHILD) {
        let ending = ENDINGS.iter().find(|(name, _)| *name == child).expect("the name of an ending");
        return match ending.1() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    // Trials run one at a time, because a trial counts the threads of the process.
    common::run_one_by_one(&[("processes", trials)])
}

fn trials() -> Vec<Trial> {
    let endings = ENDINGS.map(|(name, _)| Trial::test(format!("a process ends well where {name}"), move || ends(name)));
    let endings = endings.map(|trial| trial.with_ignored_flag(common::skipping())).into_iter();
    let left = "no thread is left when the last handle is dropped";
    let left = common::trial(left, GpuOptions::default(), no_thread_is_left);
    endings.chain([left]).collect()
}

/// Runs this program repeatedly with that ending.
fn ends(name: &str) -> Result<(), Failed> {
    let rounds = match (common::full(), common::full_cases()) {
        (true, true) => 10,
        (true, false) => 3,
        (false, true) => 3,
        (false, false) => 1,
    };
    for round in 0..rounds {
        let program = env::current_exe()?;
        let output = Command::new(program).env(CHILD, name).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(format!("round {round}: {}: {words}", output.status).into());
        }
    }
    Ok(())
}

fn opened() -> Result<Device> {
    Device::gpu()
}

/// Work that takes the device a while, and is not finished when this returns.
fn work(device: &Device) -> Result<Matrix> {
    let mut x = Matrix::from_array(device, common::normal(512, 512, 1).view())?;
    for _ in 0..4 {
        x = ops::softmax(&ops::matmul(&x, &x)?)?;
    }
    Ok(x)
}

/// Polls a future once, so that the thread that polls the device is started.
fn begin<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn device_open_for_ever() -> Result<()> {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let device = DEVICE.get_or_init(|| opened().expect("a device"));
    pollster::block_on(work(device)?.to_array_async())?;
    Ok(())
}

fn read_on_its_way() -> Result<()> {
    type Reading = std::pin::Pin<Box<dyn Future<Output = Result<ndarray::Array2<f32>>> + Send>>;
    static READING: Mutex<Option<Reading>> = Mutex::new(None);
    let x = work(&opened()?)?;
    let mut reading: Reading = Box::pin(async move { x.to_array_async().await });
    begin(&mut reading);
    *READING.lock().expect("the lock") = Some(reading);
    Ok(())
}

fn future_dropped() -> Result<()> {
    let x = work(&opened()?)?;
    let mut reading = Box::pin(x.to_array_async());
    begin(&mut reading);
    Ok(())
}

fn dropped_elsewhere() -> Result<()> {
    let x = work(&opened()?)?;
    pollster::block_on(x.to_array_async())?;
    thread::spawn(move || drop(x)).join().expect("a thread that drops");
    Ok(())
}

fn many_devices() -> Result<()> {
    let open = || {
        for _ in 0..25 {
            let device = opened()?;
            let sum = ops::column_sum(&Matrix::from_slice(&device, 2, 2, &[1.0, 2.0, 3.0, 4.0])?)?;
            assert_eq!(pollster::block_on(sum.to_array_async())?, ndarray::array![[4.0, 6.0]]);
        }
        Ok(())
    };
    let threads: Vec<_> = (0..8).map(|_| thread::spawn(open)).collect();
    threads.into_iter().try_for_each(|thread| thread.join().expect("a thread that opens devices"))
}

/// The threads of this process that have names of the crate.
fn own_threads() -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("wgpu-mlp")).collect()
}

/// Waits until there are so many threads: a thread sets its name after it has started, and the system still lists it for a
/// moment after its end.
fn own_threads_become(wanted: usize) -> Result<(), Failed> {
    for _ in 0..100 {
        if own_threads().len() == wanted {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(format!("{wanted} threads were expected, not {:?}", own_threads()).into())
}

fn no_thread_is_left(device: &Device) -> Result<(), Failed> {
    if !cfg!(target_os = "linux") {
        common::say("skipped: the names of threads are read where Linux tells them");
        return Ok(());
    }
    let before = own_threads().len();
    // With OpenGL no other thread polls the device.
    let polling = usize::from(device.info().backend != "gl");
    for _ in 0..10 {
        let second = common::device(&GpuOptions::default())?;
        let mut reading = Box::pin(async { work(&second)?.to_array_async().await });
        begin(&mut reading);
        own_threads_become(before + polling)?;
        drop(reading);
        drop(second);
        own_threads_become(before)?;
    }
    Ok(())
}
