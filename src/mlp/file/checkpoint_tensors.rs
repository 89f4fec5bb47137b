//! The tensors of a checkpoint that is being read.

use std::borrow::Cow;
use std::path::Path;

use ndarray::Array2;
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::error::{Error, Result};
use crate::layers::parameters::Parameters;
use crate::mlp::{Epoch, History};
use crate::tensor_file::{Opened, split};

/// The key of the optimizer's kind in the metadata.
pub(super) const OPTIMIZER: &str = "optimizer";
/// The key in the metadata of the monitored quantity, whose best value the checkpoint holds.
pub(super) const MONITOR: &str = "monitor";
/// How many numbers `history` holds for each epoch.
pub(super) const EPOCH_NUMBERS: usize = 9;
/// The largest count that a file may hold. f64 represents all integers up to this one exactly.
const MAX_COUNT: f64 = 9_007_199_254_740_992.0;

/// The tensors of a checkpoint, by name.
pub(super) struct Tensors<'a> {
    path: &'a Path,
    metadata: Metadata,
    data: Cow<'a, [u8]>,
}

impl<'a> Tensors<'a> {
    /// Reads the tensors from a file.
    pub fn read(path: &'a Path) -> Result<Self> {
        let file = Opened::open(path)?;
        Ok(Tensors { path, metadata: file.metadata().clone(), data: file.data()?.into() })
    }

    /// The tensors in the bytes of a file; errors name `path`.
    pub fn split(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let (metadata, data) = split(path, bytes)?;
        Ok(Tensors { path, metadata, data: data.into() })
    }

    /// The header of the file.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The text with this key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.metadata.info(name).is_some()
    }

    /// The shape and the bytes of a tensor.
    fn bytes(&self, name: &str, dtype: Dtype) -> Result<(&[usize], &[u8])> {
        match self.metadata.info(name) {
            Some(found) if found.dtype == dtype => {
                let (begin, end) = found.data_offsets;
                Ok((&found.shape, self.data.get(begin..end).unwrap_or_default()))
            }
            Some(_) => self.refuse(name, "must be of the type that checkpoints have there"),
            None => self.refuse(name, "is missing; a checkpoint of this training has it"),
        }
    }

    pub fn f64(&self, name: &str) -> Result<Vec<f64>> {
        let (_, bytes) = self.bytes(name, Dtype::F64)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    /// Converts a number of this tensor to a count, and refuses it if it is not one.
    pub fn count(&self, tensor: &str, number: f64) -> Result<u64> {
        match number.fract() == 0.0 && (0.0..=MAX_COUNT).contains(&number) {
            true => Ok(number as u64),
            false => self.refuse(tensor, "must count steps, epochs and rows in whole numbers from 0 to 2^53"),
        }
    }

    /// Reads the history. `best_epoch` is the number of the best epoch, or -1 if there is none.
    pub fn history(&self, best_epoch: f64) -> Result<History> {
        let numbers = self.f64("history")?;
        let (epochs, rest) = numbers.as_chunks::<EPOCH_NUMBERS>();
        if !rest.is_empty() {
            return self.refuse("history", "must have nine numbers an epoch, as a checkpoint of this version has");
        }
        let epochs = epochs.iter().enumerate().map(|(index, numbers)| self.epoch(index, numbers));
        let epochs = epochs.collect::<Result<Vec<_>>>()?;
        let best_epoch = match best_epoch == -1.0 {
            true => None,
            false => Some(usize::try_from(self.count("run", best_epoch)?).unwrap_or(usize::MAX)),
        };
        if best_epoch.is_some_and(|best| best >= epochs.len()) {
            return self.refuse("run", "must have a best epoch that is in the history");
        }
        Ok(History { epochs, best_epoch })
    }

    /// An epoch of the history.
    fn epoch(&self, index: usize, numbers: &[f64; EPOCH_NUMBERS]) -> Result<Epoch> {
        let [loss, accuracy, validated, validation_loss, validation_accuracy, learning_rate, rows, bad_rows, seconds] =
            *numbers;
        let validated = validated != 0.0;
        Ok(Epoch {
            index,
            loss,
            accuracy,
            validation_loss: validated.then_some(validation_loss),
            validation_accuracy: validated.then_some(validation_accuracy),
            learning_rate,
            rows: self.count("history", rows)?,
            non_finite_rows: self.count("history", bad_rows)?,
            seconds,
        })
    }

    /// Reads a tensor that is a matrix of this shape.
    fn matrix(&self, name: &str, shape: (usize, usize)) -> Result<Array2<f32>> {
        let (found, bytes) = self.bytes(name, Dtype::F32)?;
        if *found != [shape.0, shape.1] {
            return self.refuse(name, "must have the shape of the model's own");
        }
        let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Array2::from_shape_vec(shape, values)
            .or_else(|_| self.refuse(name, "must hold as many values as its shape says"))
    }

    /// Reads the parameters of layers with these shapes from the tensors of this group.
    pub fn parameters(&self, group: &str, shapes: &[(usize, usize)]) -> Result<Vec<Parameters>> {
        let layer = |(index, pair): (usize, &[(usize, usize)])| {
            let weights = self.matrix(&format!("{group}.{index}.weights"), pair[0])?;
            Ok(Parameters { weights, biases: self.matrix(&format!("{group}.{index}.biases"), pair[1])? })
        };
        shapes.chunks_exact(2).enumerate().map(layer).collect()
    }

    /// The error for a tensor that breaks a rule.
    pub fn refuse<T>(&self, tensor: &str, rule: &'static str) -> Result<T> {
        Err(Error::Model { path: self.path.into(), tensor: tensor.into(), rule })
    }
}
