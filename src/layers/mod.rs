//! Layers with a forward and a backward pass. Each layer keeps the matrices that its `backward` needs. "The notebook" in their
//! documentation is the NumPy notebook that this crate grew out of; the example `notebook` goes through it.
//!
//! ```
//! use ndarray::array;
//! use rand::{SeedableRng, rngs::ChaCha12Rng};
//! use wgpu_mlp::{Device, Matrix, Targets, layers::{Dense, ReLU, SoftmaxCrossEntropy}};
//! let device = Device::cpu();
//! let mut rng = ChaCha12Rng::seed_from_u64(0);
//! let (mut dense, mut relu) = (Dense::new(&device, 2, 8, &mut rng)?, ReLU::new());
//! let (mut logits, mut loss) = (Dense::new(&device, 8, 3, &mut rng)?, SoftmaxCrossEntropy::new());
//!
//! let x = Matrix::from_array(&device, array![[0.1, 0.2], [0.3, -0.4]].view())?;
//! let y = Targets::classes(&device, &[0u8, 2], 3)?;
//! let hidden = relu.forward(&dense.forward(&x)?)?;
//! let value = loss.forward(&logits.forward(&hidden)?, &y)?;
//! assert!((value - 3f64.ln()).abs() < 1e-3); // ln(classes) before any training
//! let dhidden = logits.backward(&loss.backward()?)?;
//! let dx = dense.backward(&relu.backward(&dhidden)?)?;
//! assert_eq!(dx.shape(), x.shape());
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```

mod categorical_cross_entropy;
mod dense;
mod dropout;
mod init;
mod kept;
pub(crate) mod parameters;
mod relu;
mod softmax;
mod softmax_cross_entropy;

use kept::kept;

pub use categorical_cross_entropy::CategoricalCrossEntropy;
pub use dense::Dense;
pub use dropout::Dropout;
pub use init::Init;
pub use relu::ReLU;
pub use softmax::Softmax;
pub use softmax_cross_entropy::SoftmaxCrossEntropy;
