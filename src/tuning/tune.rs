//! Tuning: measures on the user's own device which kernel computes products of a shape fastest.

use std::fmt;
use std::time::Duration;

use ndarray::Array2;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use web_time::Instant;

use super::file;
use crate::cpu;
use crate::device::{Device, DeviceInfo, DeviceKind};
use crate::error::Result;
use crate::gpu::{Context, Tuned};
use crate::host_memory::{host_room, not_empty};
use crate::matrix::Matrix;
use crate::ops;
use crate::options::MatmulKernel;
use crate::verify;
use crate::waiting::{Waiting, blocking_and_async};

/// The least number of multiply-adds of a round of measurements, so many that the clock's resolution and the launch do not count.
const ROUND: u64 = 1 << 24;
/// The number of rounds a candidate. The fastest counts, since every disturbance makes a round slower.
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
    /// Each candidate with the time of one product: by the device's clock where it has one and a round is a single pass,
    /// else by the host's. No time for a candidate whose result was not within its bound.
    pub candidates: Vec<(MatmulKernel, Option<Duration>)>,
    /// The fastest candidate with a right result, which computes products of this class from now on.
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
        /// Measures which kernel computes products of these shapes (m, k, n) fastest on this device, and uses it from now on for
        /// all products of the same class: those whose m, k and n round up to the same powers of two.
        ///
        /// Up to six candidates a shape are measured, and two more where matrix units are in use. Only a candidate whose result
        /// is within the product's error bound can win. With [`GpuOptions::tuning`](crate::GpuOptions::tuning) the winners are
        /// kept in a file for this adapter and driver, which is read when the device is opened again; a file that is damaged, or
        /// of another driver, is ignored and replaced. [`Mlp::tuning_shapes`](crate::Mlp::tuning_shapes) gives the shapes of a
        /// training step.
        ///
        /// Tuned results are within the same bounds, but their bits differ from untuned ones and from those of another machine,
        /// which is why nothing is tuned unless you ask for it. Nothing else should run on the device meanwhile. The CPU path
        /// has nothing to tune.
        ///
        /// Times by the host's clock include, in the asynchronous form, the time to wake the task, for all candidates alike. If the
        /// future is dropped, the device keeps the winners found so far, and no file is written.
        ///
        /// # Errors
        /// [`Error::Empty`](crate::Error::Empty) for a shape with a 0; [`Error::Limit`](crate::Error::Limit) and
        /// [`Error::HostMemory`](crate::Error::HostMemory) for one that there is no room for; errors of the device;
        /// [`Error::File`](crate::Error::File) when the winners cannot be kept.
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

/// Refuses a shape that the device or the host has no room for, before anything is filled.
fn check_room(device: &Device, [m, k, n]: [usize; 3]) -> Result<()> {
    let dry = device.dry();
    let operands = [Matrix::planned(&dry, "tune", m, k)?, Matrix::planned(&dry, "tune", k, n)?];
    ops::matmul(&operands[0], &operands[1])?;
    [(m, k), (k, n), (m, n)].into_iter().try_for_each(|(rows, cols)| host_room::<f64>("tune", rows, cols).map(drop))
}

/// A product by this kernel, which is forced for this call alone.
fn product(gpu: &Context, kernel: MatmulKernel, [x, w]: &[Matrix; 2]) -> Result<Matrix> {
    gpu.tuned().force(Some(kernel));
    let made = ops::matmul(x, w);
    gpu.tuned().force(None);
    made
}

/// The kernels that may suit a device: with and without workgroup memory on software drivers; with tiles of every size on
/// GPUs; on matrix units where they are in use.
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
    // Times of different clocks cannot be compared.
    let by_device = timed.iter().filter_map(|(_, times)| times.as_ref()).all(|times| times.by_device.is_some());
    let by_clock = |times: Times| if by_device { times.by_device } else { Some(times.by_host) };
    let timed: Vec<_> = timed.into_iter().map(|(kernel, times)| (kernel, times.and_then(by_clock))).collect();
    let right = timed.iter().filter_map(|(kernel, time)| Some((*kernel, (*time)?)));
    let winner = right.min_by_key(|(_, time)| *time).map(|(kernel, _)| kernel);
    Ok(TunedShape { shape: [m, k, n], candidates: timed, winner })
}

/// The time of one product.
struct Times {
    by_host: Duration,
    /// No time where the device has no clock, or the product is no single pass.
    by_device: Option<Duration>,
}

/// The time of one product by this kernel; none where its result is wrong.
async fn time(
    waiting: Waiting,
    (device, gpu): (&Device, &Context),
    kernel: MatmulKernel,
    (trial, operands): (&Trial, &[Matrix; 2]),
    launches: u64,
) -> Result<Option<Times>> {
    // The first product also compiles the kernel.
    if !trial.agrees(&product(gpu, kernel, &trial.operands)?.to_array_by(waiting).await?) {
        return Ok(None);
    }
    let (mut by_host, mut by_device) = (Duration::MAX, Some(Duration::MAX));
    for _ in 0..ROUNDS {
        device.wait_by(waiting).await?;
        let (start, clock) = (Instant::now(), gpu.start_clock());
        for _ in 0..launches {
            product(gpu, kernel, operands)?;
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

/// A product of small integers, which is exact in whatever order a kernel adds: so a kernel that is wrong in one element is
/// found.
struct Trial {
    operands: [Matrix; 2],
    want: Array2<f64>,
    steps: usize,
}

/// The largest of the small integers.
const LARGEST: i8 = 8;

impl Trial {
    fn new(device: &Device, rng: &mut ChaCha12Rng, [m, k, n]: [usize; 3]) -> Result<Self> {
        let mut integers = |rows, cols| {
            Array2::<f32>::from_shape_simple_fn((rows, cols), || rng.random_range(-LARGEST..=LARGEST).into())
        };
        let (a, b) = (integers(m, k), integers(k, n));
        let operands = [Matrix::from_array(device, a.view())?, Matrix::from_array(device, b.view())?];
        let want = cpu::matmul(a.mapv(f64::from).view(), b.mapv(f64::from).view());
        Ok(Trial { operands, want, steps: k })
    }

    /// Whether every element is right.
    fn agrees(&self, got: &Array2<f32>) -> bool {
        // The largest sum of an element's magnitudes. f32 represents all integers below 2^24 exactly.
        let most = f64::from(LARGEST).powi(2) * self.steps as f64;
        let allowed = if most < f64::from(1u32 << 24) { 0.0 } else { verify::product_bound(most, self.steps) };
        got.dim() == self.want.dim()
            && got.iter().zip(&self.want).all(|(got, want)| (f64::from(*got) - want).abs() <= allowed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::Trial;
    use crate::device::Device;
    use crate::ops;

    #[test]
    fn one_wrong_element_anywhere_is_seen() {
        let trial = Trial::new(&Device::cpu(), &mut ChaCha12Rng::seed_from_u64(1), [100, 40, 30]).unwrap();
        let right = ops::matmul(&trial.operands[0], &trial.operands[1]).unwrap().to_array().unwrap();
        assert!(trial.agrees(&right));
        for at in [[0, 0], [50, 17], [99, 29]] {
            let mut wrong = right.clone();
            wrong[at] += 1.0;
            assert!(!trial.agrees(&wrong), "{at:?}");
        }
        assert!(!trial.agrees(&right.slice(ndarray::s![.., ..29]).to_owned()));
        assert!(!trial.agrees(&right.mapv(|_| f32::NAN)));
    }
}
