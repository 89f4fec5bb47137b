//! The cases of every op, one file for ops that are tested alike.

mod all;
mod choice;
mod clip_scale;
mod cross_entropy;
mod elementwise;
mod gradients;
mod linear_cross_entropy;
mod near;
mod nll;
mod predictions;
mod products;
mod softmax;
mod training;
mod training_reference;
mod training_setup;
mod update_bounds;
mod updates;

pub use all::cases;
