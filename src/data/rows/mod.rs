//! Files as sources of rows.

mod file_rows;
mod npy;
mod safetensors;
mod shard_paths;
mod store;

pub use file_rows::FileRows;
pub use npy::{npy_rows, open_npy};
pub use safetensors::{open_safetensors, read_safetensors_labels, safetensors_labels, safetensors_rows};
pub use shard_paths::shard_paths;
