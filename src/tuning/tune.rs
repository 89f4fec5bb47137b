//! Tuning: measures which kernel computes products of a shape fastest on the user's own device.

use std::fmt;
use std::time::Duration;

use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};
use web_time::Instant;

use super::file;
use super::trial::{CALLS, Call, Operands, Trial, agrees};
use crate::device::{Device, DeviceInfo, DeviceKind};
use crate::error::Result;
use crate::gpu::{Context, Tuned};
use crate::host_memory::{host_room, not_empty};
use crate::matrix::Matrix;
use crate::ops;
use crate::options::MatmulKernel;
use crate::waiting::{Waiting, blocking_and_async};

/// The minimal number of multiply-adds in a round. It is so large that the clock's resolution and the time of a launch do not
/// matter.
const ROUND: u64 = 1 << 24;
/// The number of rounds for each candidate. The fastest round counts, since every disturbance makes a round slower.
const ROUNDS: usize = 5;

/// The result of [`Device::tune`] for one shape. It is printed as one line.
///
/// ```
/// for tuned in wgpu_mlp::Device::cpu().tune(&[[64, 64, 64]])? {
///     println!("{tuned}");
/// }
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TunedShape {
    /// The shape m, k, n.
    pub shape: [usize; 3],
    /// Each candidate with its time for one product. The device's clock measures it if there is one and a round is a single pass;
    /// otherwise the host's clock does. The time is `None` if one of the candidate's results was wrong.
    pub candidates: Vec<(MatmulKernel, Option<Duration>)>,
    /// The fastest candidate whose results are all right. It computes products of this class from now on.
    pub winner: Option<MatmulKernel>,
}

impl fmt::Display for TunedShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [m, k, n] = self.shape;
        write!(f, "{m}x{k}x{n}:")?;
        for (kernel, time) in &self.candidates {
            match time {
                Some(time) => write!(f, " {kernel:?} {:.3} ms", 1e3 * time.as_secs_f64())?,
                None => write!(f, " {kernel:?} wrong")?,
            }
            let mark = if self.winner == Some(*kernel) { " (taken)," } else { "," };
            f.write_str(mark)?;
        }
        Ok(())
    }
}

impl Device {
    blocking_and_async! {
        /// Measures which kernel computes products of these shapes (m, k, n) fastest on this device. From now on it is used for
        /// all products of the same class: those whose m, k and n round up to the same powers of two.
        ///
        /// Up to six candidates are measured for each shape, and two more if matrix units are in use. A candidate is measured
        /// only if its product of small integers is exact in every element, and wins only if this is also true of the other
        /// products that it would compute: those with transposed factors, with bias and ReLU, with a ReLU's mask, and the
        /// gradients of a layer.
        ///
        /// With [`GpuOptions::tuning`](crate::GpuOptions::tuning) the winners are kept in a file for this adapter and driver,
        /// which is read when the device is opened again. A file that is damaged, or that belongs to another driver, is ignored
        /// and replaced. [`Mlp::tuning_shapes`](crate::Mlp::tuning_shapes) gives the shapes of a training step.
        ///
        /// Tuned results are within the same bounds, but their bits differ from untuned results and from those of another
        /// machine. For this reason nothing is tuned unless you ask for it. Nothing else should run on the device meanwhile. The
        /// CPU path has nothing to tune.
        ///
        /// In the asynchronous form, times by the host's clock include the time to wake the task, for all candidates alike. If
        /// the future is dropped, the device keeps the winners found so far, and no file is written.
        ///
        /// # Errors
        /// [`Error::Empty`](crate::Error::Empty) for a shape with a 0; [`Error::Limit`](crate::Error::Limit) and
        /// [`Error::HostMemory`](crate::Error::HostMemory) for a shape for which there is not enough memory; errors of the
        /// device; [`Error::File`](crate::Error::File) if the winners cannot be saved.
        ///
        /// ```
        /// use wgpu_mlp::Device;
        /// let device = Device::auto()?;
        /// device.tune(&[[256, 64, 10]])?;
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn tune, tune_async(&self, shapes: &[[usize; 3]]) -> Result<Vec<TunedShape>> = |waiting| {
            self.tune_by(waiting, shapes).await
        }
    }

    async fn tune_by(&self, waiting: Waiting, shapes: &[[usize; 3]]) -> Result<Vec<TunedShape>> {
        shapes.iter().try_for_each(|[m, k, n]| not_empty("tune", *m, *k).and(not_empty("tune", *k, *n)))?;
        let Some(gpu) = self.context() else { return Ok(Vec::new()) };
        shapes.iter().try_for_each(|shape| check_room(self, *shape))?;
        let mut found = Vec::new();
        for shape in shapes {
            let measured = measure(waiting, self, gpu, *shape).await?;
            if let Some(winner) = measured.winner {
                let [m, k, n] = measured.shape;
                gpu.tuned().choose(Tuned::class([m, n, k]), winner);
            }
            log::info!("tuned {measured}");
            found.push(measured);
        }
        if let Some(folder) = gpu.tuning_folder() {
            file::save(folder, &self.info().adapter(), &gpu.tuned().all())?;
        }
        Ok(found)
    }
}

/// Refuses a shape that is too large for the device or the host, before any memory is filled.
fn check_room(device: &Device, [m, k, n]: [usize; 3]) -> Result<()> {
    let dry = device.dry();
    let operands = Operands::planned(&dry, [m, k, n])?;
    CALLS.iter().try_for_each(|call| (call.run)(&operands).map(drop))?;
    [(m, k), (k, n), (m, n)].into_iter().try_for_each(|(rows, cols)| host_room::<f64>("tune", rows, cols).map(drop))
}

/// Makes a call whose products this kernel computes. The kernel is forced for this call only.
fn forced<T>(gpu: &Context, kernel: MatmulKernel, call: impl FnOnce() -> Result<T>) -> Result<T> {
    gpu.tuned().force(Some(kernel));
    let made = call();
    gpu.tuned().force(None);
    made
}

/// Whether this kernel computes all results of these calls exactly.
async fn is_right(
    waiting: Waiting,
    gpu: &Context,
    kernel: MatmulKernel,
    trial: &Trial,
    calls: &[Call],
) -> Result<bool> {
    for call in calls {
        let made = forced(gpu, kernel, || (call.run)(&trial.operands))?;
        for (made, want) in made.iter().zip(trial.want(call)) {
            if !agrees(&made.to_array_by(waiting).await?, want) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The kernels that may suit a device. On software drivers these are kernels with and without workgroup memory; on GPUs those
/// with tiles of every size; and with matrix units in use, also the kernels on these.
fn candidates(info: &DeviceInfo) -> Vec<MatmulKernel> {
    use MatmulKernel::*;
    let mut kernels = match info.kind {
        DeviceKind::SoftwareDriver => vec![Panel, Direct, Plain, Large, Medium, Small],
        _ => vec![Large, Medium, Small, Narrow, Flat],
    };
    if info.matrix_units {
        kernels.extend([LargeUnits, MediumUnits]);
    }
    kernels
}

/// Measures every candidate for one shape.
async fn measure(waiting: Waiting, device: &Device, gpu: &Context, [m, k, n]: [usize; 3]) -> Result<TunedShape> {
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let mut normal = |rows, cols| Array2::from_shape_simple_fn((rows, cols), || StandardNormal.sample(&mut rng));
    let (a, b): (Array2<f32>, Array2<f32>) = (normal(m, k), normal(k, n));
    let on_device = [Matrix::from_array(device, a.view())?, Matrix::from_array(device, b.view())?];
    let multiply_adds = (m as u64).saturating_mul(k as u64).saturating_mul(n as u64);
    let launches = ROUND.div_ceil(multiply_adds).min(64);
    let trial = Trial::new(device, &mut rng, [m, k, n])?;
    let mut timed = Vec::new();
    for kernel in candidates(device.info()) {
        timed.push((kernel, time(waiting, (device, gpu), kernel, (&trial, &on_device), launches).await?));
    }
    // Times of different clocks cannot be compared, so all candidates use the same clock.
    let by_device = timed.iter().filter_map(|(_, times)| times.as_ref()).all(|times| times.by_device.is_some());
    let by_clock = |times: Times| if by_device { times.by_device } else { Some(times.by_host) };
    let mut timed: Vec<_> = timed.into_iter().map(|(kernel, times)| (kernel, times.and_then(by_clock))).collect();
    // The fastest one also computes the other products of the class. Only its variants for these are compiled and compared:
    // compiling them for every candidate may take longer than all measurements.
    let winner = loop {
        let fastest = timed.iter().enumerate().filter_map(|(at, (_, time))| Some(((*time)?, at))).min();
        let Some((_, at)) = fastest else { break None };
        let kernel = timed[at].0;
        if is_right(waiting, gpu, kernel, &trial, &CALLS[1..]).await? {
            break Some(kernel);
        }
        timed[at].1 = None;
    };
    Ok(TunedShape { shape: [m, k, n], candidates: timed, winner })
}

/// The time of one product, by the clocks of the host and of the device.
struct Times {
    by_host: Duration,
    /// The time by the device's clock; `None` if the device has no clock, or if a round took more than one pass.
    by_device: Option<Duration>,
}

/// Measures the time of one product by this kernel; `None` if its product of the trial is wrong.
async fn time(
    waiting: Waiting,
    (device, gpu): (&Device, &Context),
    kernel: MatmulKernel,
    (trial, [x, w]): (&Trial, &[Matrix; 2]),
    launches: u64,
) -> Result<Option<Times>> {
    // The first product also compiles the kernel, so it is not measured.
    if !is_right(waiting, gpu, kernel, trial, &CALLS[..1]).await? {
        return Ok(None);
    }
    let (mut by_host, mut by_device) = (Duration::MAX, Some(Duration::MAX));
    for _ in 0..ROUNDS {
        device.wait_by(waiting).await?;
        let (start, clock) = (Instant::now(), gpu.start_clock());
        for _ in 0..launches {
            forced(gpu, kernel, || ops::matmul(x, w))?;
        }
        let times = clock.map(|clock| gpu.stop_clock(&clock)).transpose()?.flatten();
        device.wait_by(waiting).await?;
        by_host = by_host.min(start.elapsed());
        let measured = match &times {
            Some(times) => gpu.clock_time(waiting, times).await?,
            None => None,
        };
        by_device = by_device.zip(measured).map(|(best, time)| best.min(time));
    }
    log::debug!("tune: {launches} launches took {by_host:?} by the host's clock, {by_device:?} by the device's");
    let each = |time: Duration| time / launches as u32;
    Ok(Some(Times { by_host: each(by_host), by_device: by_device.map(each) }))
}
