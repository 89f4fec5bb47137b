//! The error type of every fallible call.

use std::path::PathBuf;
use std::sync::Arc;

use super::format_error::FormatError;
use super::ranks_error::RanksError;
use super::read_error::ReadError;
use super::shape::{Shape, list, non_finite, number, out_of_memory};

/// An error, with what would have been right.
///
/// ```
/// # use wgpu_mlp::{Device, Error, Matrix, ops};
/// # let zeros = |rows, cols| Matrix::zeros(&Device::cpu(), rows, cols);
/// let error = ops::matmul(&zeros(64, 128)?, &zeros(127, 10)?).unwrap_err();
/// assert_eq!(error.to_string(), "matmul: left columns must equal right rows; got 64x128 and 127x10");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two shapes do not fit each other.
    #[error("{op}: {rule}; got {left} and {right}")]
    Shape {
        /// The operation that was asked for.
        op: &'static str,
        /// What would be right.
        rule: &'static str,
        /// Shape of the first operand.
        left: Shape,
        /// Shape of the second operand.
        right: Shape,
    },
    /// A matrix without rows or columns, or a list without entries.
    #[error("{op}: needs at least one row and one column; got {shape}")]
    Empty {
        /// The operation that was asked for.
        op: &'static str,
        /// The shape that was given.
        shape: Shape,
    },
    /// Flat data whose length is not `rows * cols`.
    #[error("{op}: {shape} needs {} values; got {values}", shape.rows as u128 * shape.cols as u128)]
    Length {
        /// The operation that was asked for.
        op: &'static str,
        /// The shape that was asked for.
        shape: Shape,
        /// The number of values given.
        values: usize,
    },
    /// A class id that is not one of the classes.
    #[error("{op}: row {row} has class {class}; classes run from 0 to {}", classes.saturating_sub(1))]
    Target {
        /// What the rows are of: `targets`, the `validation` set, or `predictions`.
        op: &'static str,
        /// The first row with a class out of range.
        row: usize,
        /// The class found there.
        class: i128,
        /// The number of classes.
        classes: usize,
    },
    /// A class distribution with an entry that is negative, infinite or NaN.
    #[error("targets: row {row}, column {col} is {value}; a distribution's entries are finite and not negative")]
    Distribution {
        /// The first row with such an entry.
        row: usize,
        /// Its column.
        col: usize,
        /// The entry.
        value: f32,
    },
    /// A weight of a row or of a class that is negative, infinite or NaN.
    #[error("{op}: the weight of {what} {index} is {value}; weights are finite and not negative")]
    Weight {
        /// The operation that was asked for.
        op: &'static str,
        /// What has the weight: `row` or `class`.
        what: &'static str,
        /// The first row or class with such a weight, counted from 0.
        index: usize,
        /// The weight.
        value: f32,
    },
    /// An option outside its range.
    #[error("{op}: {option} must be {rule}; got {}", number(*value))]
    Option {
        /// The operation or constructor.
        op: &'static str,
        /// The option's name.
        option: &'static str,
        /// What would be right.
        rule: &'static str,
        /// The value given.
        value: f64,
    },
    /// Options that exclude each other, or that leave nothing to do.
    #[error("{op}: {rule}")]
    Combination {
        /// The operation.
        op: &'static str,
        /// Why they exclude each other.
        rule: &'static str,
    },
    /// An operand lives on another device than the first one.
    #[error("{op}: both operands must live on one device; got one on {left} and one on {right}")]
    OtherDevice {
        /// The operation.
        op: &'static str,
        /// Name of the first operand's device.
        left: String,
        /// Name of the second operand's device.
        right: String,
    },
    /// `backward` was called before `forward`.
    #[error("{layer}: backward needs a forward pass first")]
    NoForward {
        /// The layer's name.
        layer: &'static str,
    },
    /// A training met NaN or infinity. The model is that of before the step, or of after it where only the validation did.
    #[error("{}", non_finite(op, *layer, *row, [*epoch, *step]))]
    NonFinite {
        /// What went wrong first: `features`, `linear`, `softmax_cross_entropy`, the step's `update`, a slot of the optimizer, the
        /// `parameters` that the training began with, or the `validation` after the step.
        op: &'static str,
        /// The layer, counted from 0.
        layer: usize,
        /// The row of the training data, or of the validation set, where a row made the difference.
        row: Option<usize>,
        /// The epoch, counted from 0.
        epoch: usize,
        /// The step within it, counted from 0.
        step: usize,
    },
    /// The device cannot hold or bind that much.
    #[error("{op}: needs {needed} {what}; the device allows {allowed}")]
    Limit {
        /// The operation or the buffer's purpose.
        op: &'static str,
        /// What is limited, with its unit.
        what: &'static str,
        /// How much was needed.
        needed: u64,
        /// How much there is.
        allowed: u64,
    },
    /// No adapter matches what was asked for.
    #[error("no GPU adapter: looked for {wanted}; found {}", list(found))]
    NoAdapter {
        /// What was looked for.
        wanted: String,
        /// The adapters that were there.
        found: Vec<String>,
    },
    /// The adapter is there but gave no device.
    #[error("adapter {adapter} gave no device: {source}")]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// wgpu's own words.
        source: wgpu::RequestDeviceError,
    },
    /// [`GpuOptions::matrix_units`](crate::GpuOptions::matrix_units) is on, and the adapter or device has none that could be used.
    #[error("no matrix units on {adapter}: {why}; leave GpuOptions::matrix_units off there")]
    NoMatrixUnits {
        /// The adapter's name.
        adapter: String,
        /// What is missing.
        why: &'static str,
    },
    /// The device's memory is used up; the device itself stays usable.
    #[error("{}", out_of_memory(*bytes))]
    OutOfMemory {
        /// Size of the buffer that could not be had; 0 where the driver did not say.
        bytes: u64,
        /// wgpu's own words; none where [`GpuOptions::max_memory_bytes`](crate::GpuOptions::max_memory_bytes) said no.
        source: Option<wgpu::Error>,
    },
    /// The host's memory has no room for a result.
    #[error("{op}: {shape} needs {bytes} bytes of host memory, which could not be had")]
    HostMemory {
        /// The operation.
        op: &'static str,
        /// The shape of the result.
        shape: Shape,
        /// Its size.
        bytes: u64,
    },
    /// The device is gone, and everything on it. Every call says so from then on.
    #[error("the device was lost: {reason}")]
    DeviceLost {
        /// The driver's words.
        reason: String,
    },
    /// A driver or wgpu rejected a kernel.
    #[error("kernel {kernel} was rejected: {source}")]
    Shader {
        /// The kernel's name.
        kernel: &'static str,
        /// The driver's or the compiler's words.
        source: wgpu::Error,
    },
    /// The device rejected the commands that should have written a matrix: it holds whatever was there before.
    #[error("the commands that should have written this were rejected: {source}")]
    Unwritten {
        /// wgpu's own words.
        source: Arc<wgpu::Error>,
    },
    /// wgpu reported an error outside any of the cases above.
    #[error("the device reported: {source}")]
    Device {
        /// wgpu's own words.
        source: wgpu::Error,
    },
    /// Reading results back failed.
    #[error("reading results back failed: {source}")]
    Read {
        /// wgpu's own words.
        source: ReadError,
    },
    /// Reading or writing a file failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file; `the given bytes` where the call was handed bytes or a reader.
        path: PathBuf,
        /// The system's error; where a row of an array could not be read, a [`RowError`](crate::source::RowError) that
        /// holds it.
        source: std::io::Error,
    },
    /// A file that does not keep to its format.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file; `the given bytes` where the call was handed bytes or a reader.
        path: PathBuf,
        /// What is wrong, and which format it is.
        source: FormatError,
    },
    /// A safetensors file that does not hold a model of this crate.
    #[error("{}: tensor {tensor}: {rule}", path.display())]
    Model {
        /// The file; `the given bytes` where the call was handed bytes or a reader.
        path: PathBuf,
        /// The tensor in question.
        tensor: String,
        /// What would be right.
        rule: &'static str,
    },
    /// A feature that is NaN or infinite.
    #[error("{op}: row {row}, column {col} is {value}; features must be finite")]
    Feature {
        /// The operation.
        op: &'static str,
        /// The first row with such a value.
        row: usize,
        /// Its column.
        col: usize,
        /// The value.
        value: f32,
    },
    /// A row that its [`RowSource`](crate::source::RowSource) could not read.
    #[error("{op}: row {row} could not be read: {source}")]
    Source {
        /// The operation that asked for the row.
        op: &'static str,
        /// The row, counted from 0; after a panic of the source the first of those that were read together.
        row: usize,
        /// The source's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of data (`.npy`, safetensors, CSV, Parquet) that is not, as a whole, what was asked for.
    #[error("{}: {rule}; got {found}", path.display())]
    Data {
        /// The file; `the given bytes` where the call was handed bytes or a reader.
        path: PathBuf,
        /// What would be right.
        rule: &'static str,
        /// What was there.
        found: String,
    },
    /// A cell of a CSV file, or a row too long or too short.
    #[error("{}: line {line}, column {column}: {rule}; got {found}", path.display())]
    Cell {
        /// The file; `the given bytes` where the call was handed bytes or a reader.
        path: PathBuf,
        /// The line that its row begins on, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// What would be right.
        rule: &'static str,
        /// What was there.
        found: String,
    },
    /// A call over several ranks failed.
    #[error(transparent)]
    Ranks(RanksError),
}
