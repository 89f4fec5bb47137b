//! Sources of rows: how many rows a second come from files into training steps, beside an array in memory.
//!
//! ```text
//! cargo bench --bench sources --features data
//! cargo bench --bench sources --features data -- --device cpu --bytes 200000000 --models 784-10
//! ```
//!
//! The bench makes three `.npy` files once, of f32, f16 and u8 and of equal size. Each line of its table is one way to read
//! one of them. In each round an epoch on an array in memory comes before an epoch on the file, so that both run on the
//! machine in the same state; medians of the rounds are printed. README.md beside this file says what the columns mean.

mod alone;
mod cache;
mod files;
mod line;
mod machine;
#[path = "../../examples/head/memory.rs"]
#[allow(dead_code, reason = "the example tells more of the memory")]
mod memory;
mod rows;
mod training;

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use wgpu_mlp::Device;

use cache::Cache;
use files::{Files, Kind};
use line::Bench;
use rows::Way;
use training::{Model, Rule};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A value as the command line names it.
fn named(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().into())
}

/// The device asked for on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum Wanted {
    Auto,
    Cpu,
    Gpu,
}

impl Wanted {
    fn open(self) -> wgpu_mlp::Result<Device> {
        match self {
            Wanted::Auto => Device::auto(),
            Wanted::Cpu => Ok(Device::cpu()),
            Wanted::Gpu => Device::gpu(),
        }
    }
}

/// Measures how fast rows come from files into training steps, beside an array in memory.
#[derive(Parser)]
struct Args {
    /// Where to train: auto takes a hardware GPU if there is one, gpu also a software driver
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    device: Wanted,
    /// Bytes of each of the three files
    #[arg(long, default_value = "2000000000")]
    bytes: NonZeroUsize,
    /// Rows of an epoch, drawn from the whole file
    #[arg(long, default_value = "131072")]
    rows_per_run: NonZeroUsize,
    /// Rows of an epoch on a file that is not in the page cache
    #[arg(long, default_value = "32768")]
    cold_rows: NonZeroUsize,
    /// Rounds, of whose rates the median counts; one more comes first
    #[arg(long, default_value = "5")]
    epochs: NonZeroUsize,
    /// Rows in a training step
    #[arg(long, default_value = "4096")]
    batch: NonZeroUsize,
    /// What updates the parameters
    #[arg(long, value_enum, default_value_t = Rule::Adam)]
    optimizer: Rule,
    /// Models, by their widths: the small one leaves the time to the reading
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Model::Linear, Model::Hidden])]
    models: Vec<Model>,
    /// Types of the files' numbers
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::F32, Kind::F16, Kind::U8])]
    types: Vec<Kind>,
    /// How files are read
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Way::View, Way::Mapped, Way::Opened])]
    ways: Vec<Way>,
    /// Whether the files are in the page cache when an epoch begins
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Cache::Warm, Cache::Cold])]
    caches: Vec<Cache>,
    /// Threads that read ahead
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    workers: Vec<usize>,
    /// Seed of the first weights, the order of the rows, and files that are not there yet
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Folder for the files
    #[arg(long, default_value = "target/sources")]
    data: PathBuf,
    /// Train for one epoch, of the first of each list, and print the most memory
    #[arg(long, hide = true)]
    alone: bool,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let device = args.device.open()?;
    let files = Files::make_once(&args.data, args.bytes.get(), args.seed)?;
    let mut bench = Bench::new(&args, &device, &files);
    if args.alone {
        return bench.epoch_alone();
    }
    println!("- device: {}", device.info());
    println!("- machine: {}", machine::describe());
    println!("- date: {}", machine::today());
    println!("- command: {}\n", machine::command());
    println!(
        "| model | rows from | page cache | workers | rows/s | array, rows/s | ratio | from the file, GB/s | own memory, MB |"
    );
    println!("|---|---|---|--:|--:|--:|--:|--:|--:|");
    for model in &args.models {
        for cache in &args.caches {
            bench.lines(*model, *cache)?;
        }
    }
    println!("\n{}", bench.remarks());
    Ok(())
}
