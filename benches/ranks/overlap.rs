//! Overlap: steps whose gradients are added all at once, layer by layer, or layer by layer while others are still computed.
//!
//! The steps are written out by hand, on the CPU path, since trainings add gradients in one way alone; `trained.rs` measures that
//! one beside them. In every way one thread of each rank adds, and gets the values from the thread that computes. It may also sleep
//! after each sum, for as long as a network would need: then other threads have the processor, as they would while a network card
//! sends.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayViewMut2};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::ops::{self, Activation, CrossEntropy};
use wgpu_mlp::{Device, Matrix, Targets};

use crate::jobs::{self, of_all};
use crate::{NETWORKS, Outcome, sum_of};

/// The widths of the models, and the rows of a step on each rank.
const MODELS: [(&[usize], usize); 2] = [(&[784, 512, 10], 4096), (&[1024, 4096, 4096, 1000], 256)];
const RANKS: usize = 2;
/// The number of steps of a job in each way, after one that is not counted.
pub const STEPS: usize = 8;
const WAYS: [Way; 4] = [Way::Apart, Way::AtOnce, Way::ByLayers, Way::Overlapped];

/// How the gradients of a step are added.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// They are not added, which shows how long the computation takes.
    Apart,
    /// In one sum after the backward pass.
    AtOnce,
    /// In a sum for each layer, after the backward pass.
    ByLayers,
    /// In a sum for each layer, which begins when the gradients of the layer are computed.
    Overlapped,
}

/// A task: the widths of the model, the rows of a step on each rank, and the gigabits a second and the seconds of latency of the
/// network, if there is one.
pub type Task = (&'static [usize], usize, Option<(f64, f64)>);
/// Values on their way to the thread that adds, with the number of their part.
type Values = (usize, Vec<f32>);
/// Sums on their way back.
type Sums = (usize, wgpu_mlp::Result<Vec<f32>>);

/// The channels to the thread that adds.
struct Line {
    values: Sender<Values>,
    sums: Receiver<Sums>,
}

/// A layer's weights and biases.
struct Layer {
    weights: Matrix,
    biases: Matrix,
}

/// A model with the rows and labels of all steps of a rank.
struct Model {
    device: Device,
    layers: Vec<Layer>,
    x: Matrix,
    targets: Targets,
}

/// The gradients of all layers, in one part or in a part for each layer.
struct Parts {
    values: Vec<Vec<f32>>,
    /// The part of each layer, and the place of the layer's first value in it.
    places: Vec<(usize, usize)>,
}

/// Runs the jobs, and prints a table.
pub fn told(rounds: usize) -> Outcome<()> {
    let tasks: Vec<_> = (0..MODELS.len()).flat_map(|model| (0..=NETWORKS.len()).map(move |net| (model, net))).collect();
    let mut seconds = vec![[const { Vec::new() }; WAYS.len() + 1]; tasks.len()];
    for _ in 0..rounds {
        for (of_task, (model, net)) in seconds.iter_mut().zip(&tasks) {
            let mut of_ways = jobs::run(RANKS, &format!("overlap {model} {net}"))?;
            of_ways.extend(jobs::run(RANKS, &format!("overlap trained {model} {net}"))?);
            let of_ways: [f64; WAYS.len() + 1] =
                of_ways.try_into().map_err(|_| "a job told another number of times")?;
            of_task.iter_mut().zip(of_ways).for_each(|(all, one)| all.push(one));
        }
    }
    println!("steps of {RANKS} ranks, CPU path, ms, medians of {rounds} rounds, and from the least to the most\n");
    println!(
        "{:<20} {:>4}   {:>7}   {:^26}   {:^26}   {:^26}   {:^26}   {:>6}   {:^26}",
        "model", "rows", "network", "computed alone", "added at once", "by layers", "overlapped", "saved", "a training"
    );
    for (of_task, (model, net)) in seconds.iter_mut().zip(tasks) {
        let (widths, rows) = MODELS[model];
        let widths = widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
        let network = named(net).map_or("none".into(), |(gigabits, _)| format!("{gigabits} Gb"));
        let of_ways = of_task.each_mut().map(|all| of_all(all));
        let [alone, at_once, by_layers, overlapped, training] = of_ways.map(|of| {
            let [least, median, most] = [of.least, of.median, of.most].map(|seconds| 1e3 * seconds);
            format!("{median:>8.2} ({least:.2} - {most:.2})")
        });
        let saved = 100.0 * (1.0 - of_ways[3].median / of_ways[1].median);
        println!(
            "{widths:<20} {rows:>4}   {network:>7}   {alone:<26}   {at_once:<26}   {by_layers:<26}   {overlapped:<26}   {saved:>4.1} %   {training}"
        );
    }
    Ok(())
}

/// The network of this number: gigabits a second and seconds of latency. Number 0 is none, so that nothing is waited for.
fn named(net: usize) -> Option<(f64, f64)> {
    net.checked_sub(1).and_then(|place| NETWORKS.get(place)).copied()
}

/// The seconds of a sum of so many values on a network, with the round before it.
pub fn seconds_of(values: usize, ranks: usize, (gigabits, latency): (f64, f64)) -> f64 {
    sum_of(4.0 * values as f64, ranks as f64, latency, gigabits * 1e9 / 8.0)
}

/// The task in these words, the numbers of a model and of a network: the model's widths, its rows, and the network.
pub fn task(words: &str) -> Outcome<Task> {
    let numbers = words.split(' ').map(str::parse::<usize>).collect::<Result<Vec<_>, _>>()?;
    let [model, net] = numbers[..] else { return Err("a task is the number of a model and that of a network".into()) };
    let (widths, rows) = MODELS.get(model).ok_or("there is no such model")?;
    Ok((*widths, *rows, named(net)))
}

/// Runs the steps of a job in all ways, and prints on rank 0 the seconds of a step in each.
pub fn run(ranks: &Ranks, words: &str) -> Outcome<()> {
    let (widths, rows, network) = task(words)?;
    let seconds = measured(ranks, &mut Model::new(widths, rows, ranks.rank())?, network)?;
    if ranks.rank() == 0 {
        println!("seconds {}", seconds.map(|seconds| seconds.to_string()).join(" "));
    }
    Ok(())
}

/// The seconds of a step in each way: medians of steps that take the ways in turn.
fn measured(ranks: &Ranks, model: &mut Model, network: Option<(f64, f64)>) -> Outcome<[f64; WAYS.len()]> {
    let mut parts = [Parts::of(&model.layers, true), Parts::of(&model.layers, false)];
    let mut seconds: [Vec<f64>; WAYS.len()] = [const { Vec::new() }; WAYS.len()];
    thread::scope(|scope| -> Outcome<()> {
        let ((values, to_add), (tell, sums)) = (channel(), channel());
        scope.spawn(move || add(ranks, network, to_add, tell));
        // The thread ends when this line is dropped, also after an error.
        let line = Line { values, sums };
        for count in 0..=STEPS {
            for (way, all) in WAYS.into_iter().zip(&mut seconds) {
                // All ranks begin a step together. Nothing is being added now.
                ranks.agree(Ok::<_, wgpu_mlp::Error>(()))?;
                let begun = Instant::now();
                model.step(way, &mut parts[usize::from(way != Way::AtOnce)], &line)?;
                if count > 0 {
                    all.push(begun.elapsed().as_secs_f64());
                }
            }
        }
        Ok(())
    })?;
    Ok(seconds.each_mut().map(|all| of_all(all).median))
}

/// Adds values in the order in which they come.
fn add(ranks: &Ranks, network: Option<(f64, f64)>, values: Receiver<Values>, sums: Sender<Sums>) {
    for (part, mut values) in values {
        let seconds = network.map(|network| seconds_of(values.len(), ranks.size(), network));
        let sum = ranks.sum(&mut values).map(|()| values);
        if let Some(seconds) = seconds {
            thread::sleep(Duration::from_secs_f64(seconds));
        }
        if sums.send((part, sum)).is_err() {
            break;
        }
    }
}

impl Line {
    /// Hands the values of a part to the thread that adds.
    fn hand_over(&self, part: usize, parts: &mut Parts) -> Outcome<()> {
        Ok(self.values.send((part, std::mem::take(&mut parts.values[part])))?)
    }

    /// Waits for the sums of all parts, and puts them in the place of the values.
    fn take_back(&self, parts: &mut Parts) -> Outcome<()> {
        for _ in 0..parts.values.len() {
            let (part, sums) = self.sums.recv()?;
            parts.values[part] = sums?;
        }
        Ok(())
    }
}

impl Model {
    fn new(widths: &[usize], rows: usize, rank: usize) -> Outcome<Self> {
        let device = Device::cpu();
        let mut rng = ChaCha12Rng::seed_from_u64(0);
        let layer = |pair: &[usize]| -> wgpu_mlp::Result<Layer> {
            let weights = drawn(&device, (pair[0], pair[1]), (2.0 / pair[0] as f32).sqrt(), &mut rng)?;
            Ok(Layer { weights, biases: Matrix::zeros(&device, 1, pair[1])? })
        };
        let layers = widths.windows(2).map(layer).collect::<Result<_, _>>()?;
        let mut rng = ChaCha12Rng::seed_from_u64(1 + rank as u64);
        let x = drawn(&device, (rows, widths[0]), 1.0, &mut rng)?;
        let classes = widths[widths.len() - 1];
        let labels: Vec<u32> = (0..rows).map(|_| rng.random_range(0..classes as u32)).collect();
        let targets = Targets::classes(&device, &labels, classes)?;
        Ok(Model { device, layers, x, targets })
    }

    /// One step of a training.
    fn step(&mut self, way: Way, parts: &mut Parts, line: &Line) -> Outcome<()> {
        let (last, hidden) = self.layers.split_last().ok_or("a model has a layer")?;
        let mut inputs = vec![self.x.clone()];
        for (index, Layer { weights, biases }) in hidden.iter().enumerate() {
            inputs.push(ops::linear(&inputs[index], weights, biases, Activation::Relu)?);
        }
        let (x, loss) = (&inputs[hidden.len()], CrossEntropy::default());
        let mut dy = ops::linear_cross_entropy(x, &last.weights, &last.biases, &self.targets, &loss)?.dlogits().clone();
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let (weights, biases) = ops::linear_gradients(&inputs[index], &dy)?;
            parts.fill(index, [&weights, &biases])?;
            if way == Way::Overlapped {
                line.hand_over(index, parts)?;
            }
            if index > 0 {
                dy = ops::linear_backward(&dy, &layer.weights, &inputs[index])?;
            }
        }
        if matches!(way, Way::AtOnce | Way::ByLayers) {
            (0..parts.values.len()).rev().try_for_each(|part| line.hand_over(part, parts))?;
        }
        if way != Way::Apart {
            line.take_back(parts)?;
        }
        self.update(parts)
    }

    /// Updates the parameters by these gradients.
    fn update(&mut self, parts: &Parts) -> Outcome<()> {
        for (layer, (part, first)) in self.layers.iter_mut().zip(&parts.places) {
            let mut rest = &parts.values[*part][*first..];
            for parameter in [&mut layer.weights, &mut layer.biases] {
                let (rows, cols) = parameter.shape();
                let (own, others) = rest.split_at(rows * cols);
                ops::sgd(parameter, &Matrix::from_slice(&self.device, rows, cols, own)?, 1e-3)?;
                rest = others;
            }
        }
        Ok(())
    }
}

/// A matrix of random numbers with this standard deviation.
fn drawn(device: &Device, dim: (usize, usize), spread: f32, rng: &mut ChaCha12Rng) -> wgpu_mlp::Result<Matrix> {
    let values = Array2::from_shape_simple_fn(dim, || {
        let value: f32 = StandardNormal.sample(rng);
        spread * value
    });
    Matrix::from_array(device, values.view())
}

impl Parts {
    /// Room for the gradients of these layers, in one part or in a part for each layer.
    fn of(layers: &[Layer], whole: bool) -> Self {
        let (mut values, mut places): (Vec<Vec<f32>>, _) = (Vec::new(), Vec::new());
        for Layer { weights, biases } in layers {
            if values.is_empty() || !whole {
                values.push(Vec::new());
            }
            let part = values.len() - 1;
            let first = values[part].len();
            places.push((part, first));
            values[part].resize(first + weights.rows() * weights.cols() + biases.cols(), 0.0);
        }
        Parts { values, places }
    }

    /// Copies the gradients of a layer to their place.
    fn fill(&mut self, layer: usize, gradients: [&Matrix; 2]) -> Outcome<()> {
        let (part, mut first) = self.places[layer];
        for gradient in gradients {
            let (rows, cols) = gradient.shape();
            let place = &mut self.values[part][first..first + rows * cols];
            gradient.read_into(ArrayViewMut2::from_shape((rows, cols), place)?)?;
            first += rows * cols;
        }
        Ok(())
    }
}
