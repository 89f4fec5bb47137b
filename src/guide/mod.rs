//! A short book: how to work with this crate, why it computes what it computes, and what to expect of it.
//!
//! 1. [`start`]: from a first matrix to a trained model, by hand and with [`Mlp`](crate::Mlp).
//! 2. [`mathematics`]: each op with its derivation.
//! 3. [`numerics`]: error bounds, NaN and infinity, the same bits.
//! 4. [`sizes`]: batches and matrices that are too large, plans, speed.
//! 5. [`errors`]: every error, and what state things are in after it.
//! 6. [`elsewhere`]: PyTorch's, scikit-learn's, Keras's and Burn's calls, and this crate's.

#[doc = include_str!("start.md")]
pub mod start {}
#[doc = include_str!("mathematics.md")]
pub mod mathematics {}
#[doc = include_str!("numerics.md")]
pub mod numerics {}
#[doc = include_str!("sizes.md")]
pub mod sizes {}
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("elsewhere.md")]
pub mod elsewhere {}
