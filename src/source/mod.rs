//! Sources of rows: trainings and predictions read their features from them.
//!
//! [`Mlp::fit`], [`Trainer`], [`Mlp::predict`] and related calls take any [`RowSource`]. An ndarray of [f32] is a source, and so
//! are references, boxes and [`Arc`](std::sync::Arc)s of sources. Rows are read batch by batch, in the order in which they are
//! needed, so a source that is not in memory is never loaded as a whole. A source gives the same bits as an array of f32 with its
//! values.
//!
//! | source | what it reads |
//! |---|---|
//! | `ArrayView2<f32>`, `Array2<f32>` and the like | an array in memory |
//! | [`Converted`] | an array of [f64], [`half::f16`], [`half::bf16`] or [u8] |
//! | [`FromFn`] | rows that a function writes |
//! | [`Multiplied`] | another source, each value times a factor: pixels from 0 to 255, for example |
//! | [`Selected`] | some rows of another source |
//! | [`Shards`] | several sources, one after the other |
//!
//! An array of f32 can be passed as a view, by reference, in part, or written out in the call:
//!
//! ```
//! use ndarray::{Array2, ArrayView2, array, s};
//! use wgpu_mlp::{Device, FitOptions, Mlp};
//!
//! let x: Array2<f32> = array![[0.0, 1.0], [1.0, 0.0], [0.9, 0.2]];
//! let view: ArrayView2<'_, f32> = x.view();
//! let (mut model, options) = (Mlp::new(&Device::cpu(), &[2, 8, 2], 7)?, FitOptions::default());
//! model.fit(view, &[0u8, 1, 1], &options)?;
//! model.fit(&x, &[0u8, 1, 1], &options)?;
//! model.fit(x.slice(s![..2, ..]), &[0u8, 1], &options)?;
//! model.fit(array![[0., 1.], [1., 0.]], &[0u8, 1], &options)?;
//! assert_eq!(model.predict(view)?, model.predict(&x)?);
//! assert_eq!(model.predict(x.slice(s![1.., ..]))?.len(), 2);
//! assert_eq!(model.predict(array![[0., 1.]])?.len(), 1);
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```
//!
//! With the feature `data`, the module `data` opens files as sources, and its `Scaler` scales rows while they are read.
//!
//! ```
//! use ndarray::array;
//! use wgpu_mlp::source::{Converted, Multiplied, Selected, Shards};
//! use wgpu_mlp::{Device, FitOptions, Mlp};
//!
//! let (first, second) = (array![[0u8, 51], [255, 0]], array![[51u8, 0], [0, 255]]);
//! let shards = Shards::new(vec![Converted(first.view()), Converted(second.view())])?;
//! let pixels = Multiplied::new(shards, 1.0 / 255.0);
//! let mut model = Mlp::new(&Device::cpu(), &[2, 8, 2], 7)?;
//! model.fit(&pixels, &[0u8, 1, 1, 0], &FitOptions::default())?;
//! assert_eq!(model.predict(Selected::new(&pixels, vec![3, 0])?)?.len(), 2);
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```
//!
//! [`Mlp::fit`]: crate::Mlp::fit
//! [`Mlp::predict`]: crate::Mlp::predict
//! [`Trainer`]: crate::Trainer

mod array;
mod checked;
mod from_fn;
mod multiplied;
mod number;
mod row_error;
mod row_source;
mod selected;
mod shards;

pub use array::Converted;
#[cfg(feature = "data")]
pub(crate) use array::GATHERED;
#[cfg(feature = "data")]
pub(crate) use checked::values_of;
#[cfg(feature = "parquet")]
pub(crate) use checked::words_of;
pub(crate) use checked::{Wanted, caught, dim_of, name_of};
pub use from_fn::FromFn;
pub use multiplied::Multiplied;
pub use number::Number;
#[cfg(feature = "data")]
pub(crate) use number::{bf16_to_f32, f16_to_f32};
pub use row_error::RowError;
pub use row_source::RowSource;
pub use selected::Selected;
pub use shards::Shards;

/// The version of the crate half whose types [`Converted`] reads.
pub use half;
