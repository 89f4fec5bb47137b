//! The error type of every fallible call.

use std::path::PathBuf;
use std::sync::Arc;

use super::shape::{Shape, list, non_finite, number, out_of_memory};
use super::{FormatError, RanksError, ReadError};

/// An error. Its message says what was wrong, and what would have been right.
///
/// ```
/// # use wgpu_mlp::{Device, Matrix, ops};
/// let [x, w] = [(64, 128), (127, 10)].map(|(rows, cols)| Matrix::zeros(&Device::cpu(), rows, cols).unwrap());
/// let message = ops::matmul(&x, &w).unwrap_err().to_string();
/// assert_eq!(message, "matmul: left columns must equal right rows; got 64x128 and 127x10");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two shapes do not fit each other.
    #[error("{op}: {rule}; got {left} and {right}")]
    Shape {
        /// The op or call that returned the error.
        op: &'static str,
        /// The rule that was broken.
        rule: &'static str,
        /// The shape of the first operand.
        left: Shape,
        /// The shape of the second operand.
        right: Shape,
    },
    /// A matrix without rows or columns, or a list without entries.
    #[error("{op}: needs at least one row and one column; got {shape}")]
    Empty {
        /// The op or call that returned the error.
        op: &'static str,
        /// The shape that was given.
        shape: Shape,
    },
    /// Flat data whose length is not `rows * cols`.
    #[error("{op}: {shape} needs {} values; got {values}", shape.rows as u128 * shape.cols as u128)]
    Length {
        /// The op or call that returned the error.
        op: &'static str,
        /// The shape that was asked for.
        shape: Shape,
        /// The number of values given.
        values: usize,
    },
    /// A class id that is not one of the classes.
    #[error("{op}: row {row} has class {class}; classes run from 0 to {}", classes.saturating_sub(1))]
    Target {
        /// The name of the rows' set: `targets`, the `validation` set, or `predictions`.
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
        /// The entry's column.
        col: usize,
        /// The entry.
        value: f32,
    },
    /// A weight of a row or of a class that is negative, infinite or NaN.
    #[error("{op}: the weight of {what} {index} is {value}; weights are finite and not negative")]
    Weight {
        /// The op or call that returned the error.
        op: &'static str,
        /// The owner of the weight: `row` or `class`.
        what: &'static str,
        /// The first row or class with such a weight, counted from 0.
        index: usize,
        /// The weight.
        value: f32,
    },
    /// An option outside its range.
    #[error("{op}: {option} must be {rule}; got {}", number(*value))]
    Option {
        /// The op or constructor that returned the error.
        op: &'static str,
        /// The option's name.
        option: &'static str,
        /// The rule that was broken.
        rule: &'static str,
        /// The value given.
        value: f64,
    },
    /// Options that exclude each other, or that leave nothing to do.
    #[error("{op}: {rule}")]
    Combination {
        /// The op or call that returned the error.
        op: &'static str,
        /// The reason why they exclude each other.
        rule: &'static str,
    },
    /// An operand is on another device than the first one.
    #[error("{op}: both operands must live on one device; got one on {left} and one on {right}")]
    OtherDevice {
        /// The op or call that returned the error.
        op: &'static str,
        /// The name of the first operand's device.
        left: String,
        /// The name of the second operand's device.
        right: String,
    },
    /// A call that needs the values of a forward pass was made before the first one.
    #[error("{layer}: {call} needs a forward pass first")]
    NoForward {
        /// The layer's name: `relu`, for example.
        layer: &'static str,
        /// The method that was called: `backward`, for example.
        call: &'static str,
    },
    /// A training met NaN or infinity. The model is as before the step, or as after it if only the validation met it.
    #[error("{}", non_finite(op, *layer, *row, [*epoch, *step]))]
    NonFinite {
        /// The origin: `features`, `linear`, `softmax_cross_entropy`, the step's `update`, a slot of the optimizer, the
        /// `parameters` that the training began with, or the `validation` after the step.
        op: &'static str,
        /// The layer, counted from 0.
        layer: usize,
        /// The row of the training data or of the validation set, if a single row is the origin.
        row: Option<usize>,
        /// The epoch, counted from 0.
        epoch: usize,
        /// The step within the epoch, counted from 0.
        step: usize,
    },
    /// More than a limit of the device, of options that lower it, of a caller's buffer or of a count of rows and columns allows.
    #[error("{op}: needs {needed} {what}; the limit is {allowed}")]
    Limit {
        /// The op that needed it, or the purpose of the buffer.
        op: &'static str,
        /// The name of the limit, with its unit.
        what: &'static str,
        /// The number that was needed.
        needed: u64,
        /// The number that is allowed.
        allowed: u64,
    },
    /// No adapter matches the request.
    #[error("no GPU adapter: looked for {wanted}; found {}", list(found))]
    NoAdapter {
        /// A description of the adapter that was looked for.
        wanted: String,
        /// The adapters that were found.
        found: Vec<String>,
    },
    /// The adapter exists but gave no device.
    #[error("adapter {adapter} gave no device: {source}")]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// The error of wgpu.
        source: wgpu::RequestDeviceError,
    },
    /// [`GpuOptions::matrix_units`](crate::GpuOptions::matrix_units) is on, and the adapter or device has no usable matrix units.
    #[error("no matrix units on {adapter}: {why}; leave GpuOptions::matrix_units off there")]
    NoMatrixUnits {
        /// The adapter's name.
        adapter: String,
        /// The reason: what is missing.
        why: &'static str,
    },
    /// The device's memory is used up; the device itself stays usable.
    #[error("{}", out_of_memory(*bytes))]
    OutOfMemory {
        /// The size of the buffer that could not be allocated; 0 if the driver did not say.
        bytes: u64,
        /// The error of wgpu; `None` if the limit is [`GpuOptions::max_memory_bytes`](crate::GpuOptions::max_memory_bytes).
        source: Option<wgpu::Error>,
    },
    /// The host has no memory for a result.
    #[error("{op}: {shape} needs {bytes} bytes of host memory, which could not be had")]
    HostMemory {
        /// The op or call that returned the error.
        op: &'static str,
        /// The shape of the result.
        shape: Shape,
        /// The size of the result in bytes.
        bytes: u64,
    },
    /// The device is lost, with everything on it. Every later call returns this error.
    #[error("the device was lost: {reason}")]
    DeviceLost {
        /// The reason in the driver's words.
        reason: String,
    },
    /// A driver or wgpu rejected a kernel.
    #[error("kernel {kernel} was rejected: {source}")]
    Shader {
        /// The kernel's name.
        kernel: &'static str,
        /// The error of the driver or the compiler.
        source: wgpu::Error,
    },
    /// The device rejected the commands that should have written a matrix, which still has its old content.
    #[error("the commands that should have written this were rejected: {source}")]
    Unwritten {
        /// The error of wgpu.
        source: Arc<wgpu::Error>,
    },
    /// An error of wgpu that fits none of the cases above.
    #[error("the device reported: {source}")]
    Device {
        /// The error of wgpu.
        source: wgpu::Error,
    },
    /// Results could not be read back.
    #[error("reading results back failed: {source}")]
    Read {
        /// The reason why the read failed.
        source: ReadError,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file, or `the given bytes` if the caller passed bytes or a reader.
        path: PathBuf,
        /// The system's error. If a row of an array could not be read, it is a [`RowError`](crate::source::RowError) with the
        /// system's error inside.
        source: std::io::Error,
    },
    /// A file that breaks the rules of its format.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file, or `the given bytes` if the caller passed bytes or a reader.
        path: PathBuf,
        /// The format, and the rule that the file breaks.
        source: FormatError,
    },
    /// A safetensors file that does not hold a model of this crate.
    #[error("{}: tensor {tensor}: {rule}", path.display())]
    Model {
        /// The file, or `the given bytes` if the caller passed bytes or a reader.
        path: PathBuf,
        /// The name of the tensor.
        tensor: String,
        /// The rule that was broken.
        rule: &'static str,
    },
    /// A feature that is NaN or infinite.
    #[error("{op}: row {row}, column {col} is {value}; features must be finite")]
    Feature {
        /// The op or call that returned the error.
        op: &'static str,
        /// The first row with such a value.
        row: usize,
        /// The column of the value.
        col: usize,
        /// The value.
        value: f32,
    },
    /// A row that its [`RowSource`](crate::source::RowSource) could not read.
    #[error("{op}: row {row} could not be read: {source}")]
    Source {
        /// The op or call that asked for the row.
        op: &'static str,
        /// The row, counted from 0. After a panic of the source, it is the first of the rows that were read together.
        row: usize,
        /// The source's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A data file (`.npy`, safetensors, CSV, Parquet) that does not hold what the call needs.
    #[error("{}: {rule}; got {found}", path.display())]
    Data {
        /// The file, `the given bytes` if the caller passed bytes or a reader, or the name of another source.
        path: PathBuf,
        /// The rule that was broken.
        rule: &'static str,
        /// A text of what was found instead.
        found: String,
    },
    /// A wrong cell of a CSV file, or a row that is too long or too short.
    #[error("{}: line {line}, column {column}: {rule}; got {found}", path.display())]
    Cell {
        /// The file, or `the given bytes` if the caller passed bytes or a reader.
        path: PathBuf,
        /// The line on which the cell's row begins, counted from 1.
        line: u64,
        /// The column, counted from 1.
        column: usize,
        /// The rule that was broken.
        rule: &'static str,
        /// A text of what was found instead.
        found: String,
    },
    /// A call over several ranks failed.
    #[error(transparent)]
    Ranks(RanksError),
}
