//! A short book: how to work with this crate, why it computes what it computes, and what to expect of it.
//!
//! 1. [`start`]: from a first matrix to a trained model, by hand and with [`Mlp`](crate::Mlp).
//! 2. [`mathematics`]: each op with its derivation.
//! 3. [`numerics`]: the error bound of every op, NaN and infinity, which results are the same bits.
//! 4. `data`: CSV, `.npy`, safetensors and Parquet files, sources of rows, labels, splits, scaling (with the feature `data`).
//! 5. [`training`]: options, learning rates, early stopping, checkpoints, callbacks, metrics.
//! 6. [`sizes`]: batches and matrices that are too large, and plans.
//! 7. [`performance`]: what a step costs, what to do about it, calls that do not block, how to measure.
//! 8. [`errors`]: every error, and what state things are in afterwards.
//! 9. [`matrix_units`]: what they are, what they lose, when to turn them on.
//! 10. [`browser`]: the crate in a web page.
//! 11. [`several_machines`]: training over several processes, machines and GPUs.
//! 12. [`elsewhere`]: the calls of PyTorch, scikit-learn, Keras and Burn beside this crate's, and what happens on difficult inputs.
//! 13. [`glossary`]: the words of the documentation and the code.

// The pages are Markdown files beside this one; they are included so that rustdoc shows them and tests their examples.
#[doc = include_str!("start.md")]
pub mod start {}
#[doc = include_str!("mathematics.md")]
pub mod mathematics {}
#[doc = include_str!("numerics.md")]
pub mod numerics {}
#[cfg(feature = "data")]
#[doc = include_str!("data.md")]
pub mod data {}
#[doc = include_str!("training.md")]
pub mod training {}
#[doc = include_str!("sizes.md")]
pub mod sizes {}
#[doc = include_str!("performance.md")]
pub mod performance {}
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("matrix_units.md")]
pub mod matrix_units {}
#[doc = include_str!("browser.md")]
pub mod browser {}
#[doc = include_str!("several_machines.md")]
pub mod several_machines {}
#[doc = include_str!("elsewhere.md")]
pub mod elsewhere {}
#[doc = include_str!("glossary.md")]
pub mod glossary {}
