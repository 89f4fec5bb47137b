//! The jobs, their inputs, and how both reach the peers: a line of text and files of plain numbers.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use ndarray::Array2;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The learning rate of plain gradient descent in jobs A and B.
pub const LEARNING_RATE: f32 = 0.1;
/// Steps of a training job whose losses are checked.
pub const CHECKED_STEPS: usize = 3;
/// Rows of a large answer that are checked: the first, the last, and others evenly between.
pub const CHECKED_ROWS: usize = 128;
const CLASSES: usize = 1000;
const SEED: u64 = 7;

/// One column of the table.
#[derive(Clone)]
pub struct Job {
    /// The name that `--jobs` takes.
    pub letter: &'static str,
    pub task: Task,
}

/// The computation of a job.
#[derive(Clone, PartialEq, Eq)]
pub enum Task {
    /// Forward, mean softmax cross-entropy, backward and SGD of dense layers with ReLU between them; the loss is read.
    Train { widths: Vec<usize>, batch: usize },
    /// A B, A being m x k and B k x n.
    Matmul { m: usize, k: usize, n: usize },
    /// Each row's softmax.
    Softmax { rows: usize, cols: usize },
    /// The mean over the rows of the cross-entropy with logits, read, and its gradient.
    CrossEntropy { rows: usize, cols: usize },
}

/// All jobs: `large` adds those that only a hardware GPU can do in a short time; with `quick` only the small ones remain,
/// with few rows of D.
pub fn all(large: bool, quick: bool) -> Vec<Job> {
    // 65,536 rows are 262 MB, more than some peers can bind at once. All peers can bind half of that.
    let rows: &[usize] = if quick { &[4096] } else { &[32768, 65536] };
    let train = |widths: &[usize], batch| Task::Train { widths: widths.into(), batch };
    let always = |letter, task| (letter, task, false);
    let mut jobs = vec![
        always("A", train(&[784, 512, 10], 4096)),
        ("A", train(&[784, 512, 10], 65536), true),
        always("B", train(&[2, 64, 3], 300)),
        always("C", Task::Matmul { m: 1024, k: 1024, n: 1024 }),
        always("C", Task::Matmul { m: 4096, k: 784, n: 512 }),
        ("C", Task::Matmul { m: 4096, k: 4096, n: 4096 }, true),
    ];
    jobs.extend(rows.iter().map(|&rows| always("D1", Task::Softmax { rows, cols: CLASSES })));
    jobs.extend(rows.iter().map(|&rows| always("D2", Task::CrossEntropy { rows, cols: CLASSES })));
    jobs.push(("E", train(&[1024, 4096, 4096, 1000], 8192), true));
    jobs.retain(|(_, _, is_large)| !is_large || (large && !quick));
    jobs.into_iter().map(|(letter, task, _)| Job { letter, task }).collect()
}

/// The numbers of a task.
pub enum Inputs {
    Train { x: Array2<f32>, labels: Vec<u32>, weights: Vec<Array2<f32>> },
    Matmul { a: Array2<f32>, b: Array2<f32> },
    Softmax { logits: Array2<f32> },
    CrossEntropy { logits: Array2<f32>, labels: Vec<u32> },
}

impl Inputs {
    /// Normal numbers and uniform labels from one seed; the weights are He's, the biases zero.
    pub fn draw(task: &Task) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(SEED);
        let rng = &mut rng;
        match *task {
            Task::Train { ref widths, batch } => Inputs::Train {
                x: normal(rng, batch, widths[0], 1.0),
                labels: classes(rng, batch, widths[widths.len() - 1]),
                weights: layers(widths)
                    .map(|(_, [inputs, outputs])| normal(rng, inputs, outputs, (2.0 / inputs as f32).sqrt()))
                    .collect(),
            },
            Task::Matmul { m, k, n } => Inputs::Matmul { a: normal(rng, m, k, 1.0), b: normal(rng, k, n, 1.0) },
            Task::Softmax { rows, cols } => Inputs::Softmax { logits: normal(rng, rows, cols, 1.0) },
            Task::CrossEntropy { rows, cols } => {
                Inputs::CrossEntropy { logits: normal(rng, rows, cols, 1.0), labels: classes(rng, rows, cols) }
            }
        }
    }

    /// Writes them to files that every peer can read, in Rust or not.
    pub fn write(&self, folder: &Path) -> Result<()> {
        match self {
            Inputs::Train { x, labels, weights } => {
                put_matrix(folder, "x", x)?;
                put_labels(folder, labels)?;
                weights.iter().enumerate().try_for_each(|(layer, w)| put_matrix(folder, &format!("weights{layer}"), w))
            }
            Inputs::Matmul { a, b } => put_matrix(folder, "a", a).and(put_matrix(folder, "b", b)),
            Inputs::Softmax { logits } => put_matrix(folder, "logits", logits),
            Inputs::CrossEntropy { logits, labels } => {
                put_labels(folder, labels)?;
                put_matrix(folder, "logits", logits)
            }
        }
    }

    /// Reads the files of [`Inputs::write`].
    pub fn read(task: &Task, folder: &Path) -> Result<Self> {
        Ok(match *task {
            Task::Train { ref widths, batch } => Inputs::Train {
                x: matrix(folder, "x", batch, widths[0])?,
                labels: numbers(&folder.join("labels"))?,
                weights: layers(widths)
                    .map(|(layer, [inputs, outputs])| matrix(folder, &format!("weights{layer}"), inputs, outputs))
                    .collect::<Result<_>>()?,
            },
            Task::Matmul { m, k, n } => Inputs::Matmul { a: matrix(folder, "a", m, k)?, b: matrix(folder, "b", k, n)? },
            Task::Softmax { rows, cols } => Inputs::Softmax { logits: matrix(folder, "logits", rows, cols)? },
            Task::CrossEntropy { rows, cols } => Inputs::CrossEntropy {
                logits: matrix(folder, "logits", rows, cols)?,
                labels: numbers(&folder.join("labels"))?,
            },
        })
    }
}

/// Each layer with its inputs and outputs.
fn layers(widths: &[usize]) -> impl Iterator<Item = (usize, [usize; 2])> {
    widths.array_windows().copied().enumerate()
}

/// The rows of an answer this long that are checked.
pub fn checked_rows(rows: usize) -> impl Iterator<Item = usize> {
    let count = rows.min(CHECKED_ROWS);
    (0..count).map(move |i| if count < 2 { 0 } else { i * (rows - 1) / (count - 1) })
}

/// A file of plain little-endian numbers of four bytes.
pub fn numbers<T: bytemuck::Pod>(path: &Path) -> Result<Vec<T>> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(bytes.len().is_multiple_of(size_of::<T>()), "{}: {} bytes", path.display(), bytes.len());
    Ok(bytemuck::pod_collect_to_vec(&bytes))
}

/// Writes a file for [`numbers`].
pub fn put_numbers<T: bytemuck::Pod>(path: &Path, values: &[T]) -> Result<()> {
    fs::write(path, bytemuck::cast_slice(values)).with_context(|| format!("writing {}", path.display()))
}

fn matrix(folder: &Path, name: &str, rows: usize, cols: usize) -> Result<Array2<f32>> {
    Ok(Array2::from_shape_vec((rows, cols), numbers(&folder.join(name))?)?)
}

fn put_matrix(folder: &Path, name: &str, values: &Array2<f32>) -> Result<()> {
    put_numbers(&folder.join(name), values.as_slice().context("rows first")?)
}

fn put_labels(folder: &Path, labels: &[u32]) -> Result<()> {
    put_numbers(&folder.join("labels"), labels)
}

fn normal(rng: &mut ChaCha12Rng, rows: usize, cols: usize, deviation: f32) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, cols), || {
        let value: f32 = StandardNormal.sample(rng);
        deviation * value
    })
}

fn classes(rng: &mut ChaCha12Rng, rows: usize, classes: usize) -> Vec<u32> {
    (0..rows).map(|_| rng.random_range(0..classes as u32)).collect()
}

fn joined(widths: &[usize], between: &str) -> String {
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join(between)
}

impl fmt::Display for Task {
    /// The form that [`FromStr`] and `python/worker.py` read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Task::Train { widths, batch } => write!(f, "train {} {batch}", joined(widths, " ")),
            Task::Matmul { m, k, n } => write!(f, "matmul {m} {k} {n}"),
            Task::Softmax { rows, cols } => write!(f, "softmax {rows} {cols}"),
            Task::CrossEntropy { rows, cols } => write!(f, "cross_entropy {rows} {cols}"),
        }
    }
}

impl FromStr for Task {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, sizes) = text.split_once(' ').context("a task without sizes")?;
        let sizes: Vec<usize> = sizes.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        Ok(match (name, &sizes[..]) {
            ("train", &[ref widths @ .., batch]) if widths.len() > 1 => Task::Train { widths: widths.into(), batch },
            ("matmul", &[m, k, n]) => Task::Matmul { m, k, n },
            ("softmax", &[rows, cols]) => Task::Softmax { rows, cols },
            ("cross_entropy", &[rows, cols]) => Task::CrossEntropy { rows, cols },
            _ => bail!("no such task: {text}"),
        })
    }
}

impl Job {
    /// The head of its column.
    pub fn title(&self) -> String {
        let letter = self.letter;
        match &self.task {
            Task::Train { widths, batch } => format!("{letter}: {}, {batch}", joined(widths, "-")),
            Task::Matmul { m, k, n } => format!("{letter}: {m}x{k}x{n}"),
            Task::Softmax { rows, cols } | Task::CrossEntropy { rows, cols } => format!("{letter}: {rows}x{cols}"),
        }
    }
}
