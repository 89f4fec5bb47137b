//! Tuning of the kernels of products: measurements, and the file that keeps their results.

mod file;
mod trial;
mod tune;

pub(crate) use file::{AdapterInfo, load};
pub use tune::TunedShape;
