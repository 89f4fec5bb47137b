//! The libraries that are compared: one file for each peer, all with one trait.

mod burn;
mod candle;
mod ndarray;
mod wgpu_mlp;

use std::path::PathBuf;

use ::ndarray::Array2;
use anyhow::Result;

use crate::job::Inputs;

/// A library that does the jobs.
pub trait Peer {
    /// A description of the device that it runs on.
    fn about(&self) -> String;

    /// The adapter's name, if it runs on one.
    fn adapter(&self) -> Option<String> {
        None
    }

    /// An addition to its title.
    fn variant(&self) -> &'static str {
        ""
    }

    /// One training step of dense layers with ReLU between them a call, with biases that begin at zero.
    fn train(&self, x: Array2<f32>, labels: Vec<u32>, weights: Vec<Array2<f32>>) -> Result<Box<dyn Work>>;
    fn matmul(&self, a: Array2<f32>, b: Array2<f32>) -> Result<Box<dyn Work>>;
    fn softmax(&self, logits: Array2<f32>) -> Result<Box<dyn Work>>;
    /// Mean loss and gradient.
    fn cross_entropy(&self, logits: Array2<f32>, labels: Vec<u32>) -> Result<Box<dyn Work>>;
}

impl dyn Peer {
    /// Moves the inputs to the device of the work.
    pub fn prepare(&self, inputs: Inputs) -> Result<Box<dyn Work>> {
        match inputs {
            Inputs::Train { x, labels, weights } => self.train(x, labels, weights),
            Inputs::Matmul { a, b } => self.matmul(a, b),
            Inputs::Softmax { logits } => self.softmax(logits),
            Inputs::CrossEntropy { logits, labels } => self.cross_entropy(logits, labels),
        }
    }
}

/// A job with its inputs in place.
pub trait Work {
    /// Does the whole job; this is timed.
    fn run(&mut self) -> Result<()>;
    /// The result of the last run.
    fn answer(&self) -> Result<Answer>;
}

/// A loss, a matrix by rows, or both.
#[derive(Default)]
pub struct Answer {
    pub loss: Option<f32>,
    pub matrix: Vec<f32>,
}

impl Answer {
    fn loss(loss: f32) -> Self {
        Answer { loss: Some(loss), matrix: Vec::new() }
    }

    fn matrix(matrix: Vec<f32>) -> Self {
        Answer { loss: None, matrix }
    }
}

/// Work as two closures: `run` leaves a result on the device, `read` brings it back.
fn work<R: 'static>(
    run: impl FnMut() -> Result<R> + 'static,
    read: impl Fn(&R) -> Result<Answer> + 'static,
) -> Result<Box<dyn Work>> {
    Ok(Box::new(Closures { run, read, last: None }))
}

struct Closures<R, F, G> {
    run: F,
    read: G,
    last: Option<R>,
}

impl<R, F: FnMut() -> Result<R>, G: Fn(&R) -> Result<Answer>> Work for Closures<R, F, G> {
    fn run(&mut self) -> Result<()> {
        // The last result is dropped first, within the measured time. So only one result exists, as in a loop that uses and
        // drops it.
        self.last = None;
        self.last = Some((self.run)()?);
        Ok(())
    }

    fn answer(&self) -> Result<Answer> {
        self.last.as_ref().map_or_else(|| Ok(Answer::default()), &self.read)
    }
}

type Open = fn() -> Result<Box<dyn Peer>>;

/// The process in which a peer works.
#[derive(Clone)]
pub enum Program {
    /// A process of this program.
    This(Open),
    /// A process of another build of this program, which has other features of Burn.
    Other(PathBuf),
    /// A file in `python`.
    Python(&'static str),
}

/// A row of the table.
#[derive(Clone)]
pub struct Row {
    /// The name that `--peers` takes.
    pub key: &'static str,
    pub title: String,
    pub program: Program,
    /// Whether it runs on an adapter, after it has reported so. Then its times are divided by this crate's times on the
    /// adapter.
    pub on_adapter: bool,
    /// `MATMUL_NUM_THREADS`, the number of threads of ndarray's products.
    pub product_threads: Option<usize>,
}

pub const ADAPTER: &str = "wgpu-mlp";
pub const CPU: &str = "wgpu-mlp-cpu";
pub const BURN: &str = "burn";

/// All rows, in the table's order; `burns` are other builds of this program.
pub fn rows(burns: &[PathBuf]) -> Vec<Row> {
    let threads = crate::machine::threads();
    let row =
        |key, title: &str, program| Row { key, title: title.into(), program, on_adapter: false, product_threads: None };
    let this = |key, title, open: Open| row(key, title, Program::This(open));
    let burn = "Burn 0.22.1, wgpu";
    let mut rows = vec![this(ADAPTER, "wgpu-mlp, wgpu", wgpu_mlp::adapter), this(BURN, burn, burn::adapter)];
    rows.extend(burns.iter().map(|build| row(BURN, burn, Program::Other(build.clone()))));
    rows.extend([
        this(CPU, "wgpu-mlp, CPU path", wgpu_mlp::cpu),
        Row { product_threads: Some(threads), ..this("ndarray", "ndarray 0.17 by hand", ndarray::open) },
        this("candle", "candle 0.11, CPU", candle::open),
        this("burn-flex", "Burn 0.22.1, flex (CPU)", burn::flex),
        row("numpy", "NumPy", Program::Python("with_numpy.py")),
        row("torch", "PyTorch", Program::Python("with_torch.py")),
    ]);
    rows
}
