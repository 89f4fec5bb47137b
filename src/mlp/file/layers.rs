//! Layers of a model file: finds the weights and biases of each layer among the tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use ndarray::Array2;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::floats;
use crate::error::{Error, Result};
use crate::host_memory::host_room;
use crate::layers::parameters::Parameters;

/// The rule that a missing tensor breaks.
const MISSING: &str = "is missing; a model has N.weight and N.bias for each layer";
/// The rule that a surplus tensor breaks.
const SURPLUS: &str = "does not belong; a model has N.weight and N.bias for each layer, all with the same words in \
                       front, and nothing else";

/// The rule that a tensor of a checkpoint breaks if a layer before it is missing.
const GAP: &str =
    "does not belong; a checkpoint has N.weights and N.biases for each layer, counted from 0 without a gap";

/// The first tensor of the best epoch's parameters in a checkpoint.
const BEST: &str = "best.0.weights";
/// The rule that a file without this tensor breaks if the best epoch's parameters are to be loaded.
const NO_BEST: &str = "is missing; only checkpoints of trainings with EarlyStopping::restore_best have it, and Mlp::load takes \
                       models and the last epochs of checkpoints";

/// The parameters that are to be loaded from a file.
#[derive(Clone, Copy)]
pub(super) enum ParametersOf {
    /// The parameters of a model, which in a checkpoint are those of the last epoch.
    Model,
    /// The parameters of a checkpoint's best epoch.
    BestEpoch,
}

/// A layer in a file: its two tensors and their shape.
pub(super) struct Layer<'a> {
    weights: Tensor<'a>,
    biases: Tensor<'a>,
    inputs: usize,
    outputs: usize,
    /// Whether the weights are stored as `outputs x inputs`, as PyTorch does.
    outputs_first: bool,
}

/// The layers of a file, first to last. Their tensors are named as in PyTorch's `nn.Sequential`, or as in a checkpoint.
pub(super) fn layers<'a>(path: &'a Path, metadata: &'a Metadata, wanted: ParametersOf) -> Result<Vec<Layer<'a>>> {
    let tensors: BTreeMap<String, &TensorInfo> = metadata.tensors().into_iter().collect();
    let file = Tensors { path, tensors };
    let layers = match wanted {
        ParametersOf::Model if file.is_checkpoint() => file.of_checkpoint("model")?,
        ParametersOf::Model => file.of_sequential()?,
        ParametersOf::BestEpoch if file.tensors.contains_key(BEST) => file.of_checkpoint("best")?,
        ParametersOf::BestEpoch => return file.tensor(BEST.into()).refuse(NO_BEST),
    };
    for pair in layers.windows(2) {
        if pair[0].outputs != pair[1].inputs {
            return pair[1].weights.refuse("must have a column for each output of the layer before it");
        }
    }
    Ok(layers)
}

impl Layer<'_> {
    /// The layer's weights and biases, from the file's data.
    pub(super) fn parameters(&self, data: &[u8]) -> Result<Parameters> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        drop(host_room::<f32>("load", inputs, outputs)?);
        let biases = self.biases.values(data, (1, outputs))?;
        let weights = match self.outputs_first {
            true => self.weights.values(data, (outputs, inputs))?.t().as_standard_layout().into_owned(),
            false => self.weights.values(data, (inputs, outputs))?,
        };
        Ok(Parameters { weights, biases })
    }
}

/// The layer to which a checkpoint's tensor of this group belongs, by its name `group.layer.parameter`.
pub(super) fn layer_of(group: &str, name: &str) -> Option<usize> {
    name.strip_prefix(group)?.strip_prefix('.')?.split_once('.')?.0.parse().ok()
}

/// The tensors of a model file, by name.
struct Tensors<'a> {
    path: &'a Path,
    tensors: BTreeMap<String, &'a TensorInfo>,
}

impl<'a> Tensors<'a> {
    /// The layers of an `nn.Sequential`: `0.weight`, `0.bias`, `3.weight`, ... Modules without parameters leave gaps in
    /// the numbers. A single layer needs no number.
    fn of_sequential(&self) -> Result<Vec<Layer<'a>>> {
        if let Some(words) = self.single() {
            return Ok(vec![self.layer(words)?]);
        }
        let prefix = self.tensors.keys().find_map(|name| Some(parts(name)?.0)).unwrap_or_default();
        let mut modules = BTreeSet::new();
        for name in self.tensors.keys() {
            match parts(name).filter(|(found, _)| *found == prefix) {
                Some((_, module)) => modules.insert(module),
                None => return self.tensor(name.clone()).refuse(SURPLUS),
            };
        }
        if modules.is_empty() {
            return self.tensor("0.weight".into()).refuse(MISSING);
        }
        modules.into_iter().map(|module| self.layer(&format!("{prefix}{module}."))).collect()
    }

    /// The words before `weight` and `bias`, if the file holds these two tensors alone: those of an `nn.Linear` by itself.
    fn single(&self) -> Option<&str> {
        let mut names = self.tensors.keys();
        let (bias, weight) = (names.next()?, names.next()?);
        let words = bias.strip_suffix("bias").filter(|words| words.is_empty() || words.ends_with('.'))?;
        (names.next().is_none() && weight.strip_suffix("weight") == Some(words)).then_some(words)
    }

    /// The layer whose tensors have these words before `weight` and `bias`.
    fn layer(&self, words: &str) -> Result<Layer<'a>> {
        let [weights, biases] = ["weight", "bias"].map(|kind| self.tensor(format!("{words}{kind}")));
        let [outputs, inputs] = weights.shape("must have two dimensions")?;
        let [length] = biases.shape("must have one dimension")?;
        if length != outputs {
            return biases.refuse("must have a value for each row of the weight before it");
        }
        Ok(Layer { weights, biases, inputs, outputs, outputs_first: true })
    }

    /// Whether the file is a checkpoint of [`Trainer::checkpoint`](crate::Trainer::checkpoint).
    fn is_checkpoint(&self) -> bool {
        ["run", "history", "schedule", "model.0.weights"].iter().all(|name| self.tensors.contains_key(*name))
    }

    /// The layers of a group of a checkpoint, which is `model` or `best`. Their tensors are `model.0.weights`, `model.0.biases`,
    /// `model.1.weights`, ..., stored as in memory.
    fn of_checkpoint(&self, group: &str) -> Result<Vec<Layer<'a>>> {
        let named = |index: usize, kind| self.tensor(format!("{group}.{index}.{kind}"));
        let weights = (0..).map(|index| named(index, "weights")).take_while(|tensor| tensor.found.is_some());
        let layer = |(index, weights): (usize, Tensor<'a>)| {
            let biases = named(index, "biases");
            let [inputs, outputs] = weights.shape("must have two dimensions")?;
            if biases.shape("must have two dimensions")? != [1, outputs] {
                return biases.refuse("must be one row with a value for each column of the weights");
            }
            Ok(Layer { weights, biases, inputs, outputs, outputs_first: false })
        };
        let layers = weights.enumerate().map(layer).collect::<Result<Vec<_>>>()?;
        // Layers behind a gap are found here. Without them another model would be loaded, which ends with an earlier layer.
        let begin = format!("{group}.");
        let is_behind = |name: &str| layer_of(group, name).is_none_or(|layer| layer >= layers.len());
        let behind = |name: &&String| name.starts_with(&begin) && is_behind(name);
        match self.tensors.keys().find(behind) {
            Some(name) => self.tensor(name.clone()).refuse(GAP),
            None => Ok(layers),
        }
    }

    /// The tensor with this name, which the file may lack.
    fn tensor(&self, name: String) -> Tensor<'a> {
        Tensor { path: self.path, found: self.tensors.get(&name).copied(), name }
    }
}

/// Splits a tensor's name into the prefix and number of its module: `net.3.weight` gives `net.` and 3.
fn parts(name: &str) -> Option<(&str, u64)> {
    let module = name.strip_suffix(".weight").or(name.strip_suffix(".bias"))?;
    let begin = module.rfind('.').map_or(0, |dot| dot + 1);
    let (prefix, digits) = module.split_at(begin);
    // Numbers such as `03` are refused, so that each module has only one name.
    let number = digits.parse().ok().filter(|number: &u64| number.to_string() == digits)?;
    Some((prefix, number))
}

/// A tensor that a layer needs, which the file may lack.
struct Tensor<'a> {
    path: &'a Path,
    name: String,
    found: Option<&'a TensorInfo>,
}

impl Tensor<'_> {
    /// The tensor's shape. Refuses a tensor that is missing, that does not hold floats, or that is empty.
    fn shape<const D: usize>(&self, dimensions: &'static str) -> Result<[usize; D]> {
        let Some(found) = self.found else { return self.refuse(MISSING) };
        if !floats::is_known(found.dtype) {
            return self.refuse(floats::RULE);
        }
        let Ok(shape) = <[usize; D]>::try_from(found.shape.as_slice()) else { return self.refuse(dimensions) };
        if shape.contains(&0) { self.refuse("must not be empty") } else { Ok(shape) }
    }

    /// The tensor's values, as a matrix of this shape.
    fn values(&self, data: &[u8], shape: (usize, usize)) -> Result<Array2<f32>> {
        let (dtype, range): (_, Range<usize>) =
            self.found.map_or((Dtype::F32, 0..0), |found| (found.dtype, found.data_offsets.0..found.data_offsets.1));
        let Some(values) = data.get(range).and_then(|bytes| floats::decode(dtype, bytes)) else {
            return self.refuse(floats::RULE);
        };
        Array2::from_shape_vec(shape, values).or_else(|_| self.refuse("must hold as many values as its shape says"))
    }

    /// The error for this tensor, which breaks a rule.
    fn refuse<T>(&self, rule: &'static str) -> Result<T> {
        Err(Error::Model { path: self.path.into(), tensor: self.name.clone(), rule })
    }
}
