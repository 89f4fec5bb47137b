//! Files of models and checkpoints, in the safetensors format.

pub(super) mod checkpoint;
mod checkpoint_tensors;
mod floats;
mod layers;
mod save_load;
mod written;
